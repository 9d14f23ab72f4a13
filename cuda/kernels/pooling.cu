// Pooling. A thread makes one output; backward, one input, gathering from the windows that cover it: no
// atomics, and the order of every sum is fixed.
#include "cuda/kernels/pooling.h"

#include "cuda/kernels/math.cuh"

namespace adwp::ADWP_GPU::kernels {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

struct Place {
  std::int64_t image, channel;
  int row, column;
};

__device__ Place place_of(std::int64_t i, std::int64_t height, std::int64_t width, std::int64_t channels) {
  Place p;
  p.channel = i % channels;
  i /= channels;
  p.column = static_cast<int>(i % width);
  i /= width;
  p.row = static_cast<int>(i % height);
  p.image = i / height;
  return p;
}

// The input rows (or columns) of a window, cut to the image.
struct Range {
  int begin, end;
};
__device__ Range window(int out, int kernel, int stride, int padding, std::int64_t extent) {
  const int begin = out * stride - padding, end = begin + kernel;
  return {begin > 0 ? begin : 0, end < extent ? end : static_cast<int>(extent)};
}
// The outputs whose windows hold an input row (or column).
__device__ Range covering(int in, int kernel, int stride, int padding, std::int64_t outputs) {
  const int last = (in + padding) / stride, lacking = in + padding - kernel + 1;
  const int begin = lacking > 0 ? (lacking + stride - 1) / stride : 0;
  return {begin, last + 1 < outputs ? last + 1 : static_cast<int>(outputs)};
}

__global__ void __launch_bounds__(threads_per_block)
    largest(PoolShape s, const float* x, float* y, std::int32_t* argmax, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const Place p = place_of(i, s.out_height, s.out_width, s.channels);
    const Range rows = window(p.row, s.kernel, s.stride, s.padding, s.height);
    const Range columns = window(p.column, s.kernel, s.stride, s.padding, s.width);
    float most = 0;
    std::int32_t where = -1;
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) {
        const float value = x[((p.image * s.height + h) * s.width + w) * s.channels + p.channel];
        if (where < 0 || value > most) {
          most = value;
          where = static_cast<std::int32_t>(h * s.width + w);
        }
      }
    }
    y[i] = most;
    argmax[i] = where;
  }
}

__global__ void __launch_bounds__(threads_per_block)
    largest_gradient(PoolShape s, const float* dy, const std::int32_t* argmax, float* dx, bool accumulate,
                     std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const Place p = place_of(i, s.height, s.width, s.channels);
    const Range rows = covering(p.row, s.kernel, s.stride, s.padding, s.out_height);
    const Range columns = covering(p.column, s.kernel, s.stride, s.padding, s.out_width);
    const auto own = static_cast<std::int32_t>(p.row * s.width + p.column);
    float sum = 0;
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) {
        const std::int64_t out = ((p.image * s.out_height + h) * s.out_width + w) * s.channels + p.channel;
        if (argmax[out] == own) sum += dy[out];
      }
    }
    put(dx[i], sum, accumulate);
  }
}

__device__ float pixels_of(const PoolShape& s, int row, int column) {
  const Range rows = window(row, s.kernel, s.stride, s.padding, s.height);
  const Range columns = window(column, s.kernel, s.stride, s.padding, s.width);
  return static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
}

__global__ void __launch_bounds__(threads_per_block)
    average(PoolShape s, const float* x, float* y, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const Place p = place_of(i, s.out_height, s.out_width, s.channels);
    const Range rows = window(p.row, s.kernel, s.stride, s.padding, s.height);
    const Range columns = window(p.column, s.kernel, s.stride, s.padding, s.width);
    float sum = 0;
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) {
        sum += x[((p.image * s.height + h) * s.width + w) * s.channels + p.channel];
      }
    }
    y[i] = sum / pixels_of(s, p.row, p.column);
  }
}

__global__ void __launch_bounds__(threads_per_block)
    average_gradient(PoolShape s, const float* dy, float* dx, bool accumulate, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const Place p = place_of(i, s.height, s.width, s.channels);
    const Range rows = covering(p.row, s.kernel, s.stride, s.padding, s.out_height);
    const Range columns = covering(p.column, s.kernel, s.stride, s.padding, s.out_width);
    float sum = 0;
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) {
        sum += dy[((p.image * s.out_height + h) * s.out_width + w) * s.channels + p.channel] /
               pixels_of(s, h, w);
      }
    }
    put(dx[i], sum, accumulate);
  }
}

// 32 channels by 8 rows of pixels a block.
__global__ void __launch_bounds__(256)
    global_mean(const float* x, float* y, std::int64_t pixels, std::int64_t channels) {
  SHARED(float, sums, [8][32]);
  const std::int64_t channel = static_cast<std::int64_t>(blockIdx.x) * 32 + threadIdx.x;
  const float* image = x + static_cast<std::int64_t>(blockIdx.y) * pixels * channels;
  float sum = 0;
  if (channel < channels) {
    for (std::int64_t p = threadIdx.y; p < pixels; p += 8) sum += image[p * channels + channel];
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) {
    float total = 0;
    for (int row = 0; row < 8; ++row) total += sums[row][threadIdx.x];
    y[blockIdx.y * channels + channel] = total / static_cast<float>(pixels);
  }
}

__global__ void __launch_bounds__(threads_per_block)
    spread(const float* dy, float* dx, bool accumulate, std::int64_t pixels, std::int64_t channels,
           std::int64_t n) {
  const float share = 1.0f / static_cast<float>(pixels);
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    put(dx[i], dy[i / (pixels * channels) * channels + i % channels] * share, accumulate);
  }
}

std::int64_t inputs(const PoolShape& s) { return s.images * s.height * s.width * s.channels; }
std::int64_t outputs(const PoolShape& s) { return s.images * s.out_height * s.out_width * s.channels; }

}  // namespace

// --- launchers ---------------------------------------------------------------------------------------

void max_pool_forward(Stream stream, const PoolShape& shape, const float* x, float* y, std::int32_t* argmax) {
  const std::int64_t n = outputs(shape);
  launch("max_pool_forward", largest, blocks_for(n), threads_per_block, 0, stream, shape, x, y, argmax, n);
}
void max_pool_backward(Stream stream, const PoolShape& shape, const float* dy, const std::int32_t* argmax,
                       float* dx, bool accumulate) {
  const std::int64_t n = inputs(shape);
  launch("max_pool_backward", largest_gradient, blocks_for(n), threads_per_block, 0, stream, shape, dy,
         argmax, dx, accumulate, n);
}
void average_pool_forward(Stream stream, const PoolShape& shape, const float* x, float* y) {
  const std::int64_t n = outputs(shape);
  launch("average_pool_forward", average, blocks_for(n), threads_per_block, 0, stream, shape, x, y, n);
}
void average_pool_backward(Stream stream, const PoolShape& shape, const float* dy, float* dx,
                           bool accumulate) {
  const std::int64_t n = inputs(shape);
  launch("average_pool_backward", average_gradient, blocks_for(n), threads_per_block, 0, stream, shape, dy,
         dx, accumulate, n);
}
void global_pool_forward(Stream stream, const float* x, float* y, std::int64_t images, std::int64_t pixels,
                         std::int64_t channels) {
  launch("global_pool_forward", global_mean, dim3(ceil_divide(channels, 32), static_cast<unsigned>(images)),
         dim3(32, 8), 0, stream, x, y, pixels, channels);
}
void global_pool_backward(Stream stream, const float* dy, float* dx, bool accumulate, std::int64_t images,
                          std::int64_t pixels, std::int64_t channels) {
  const std::int64_t n = images * pixels * channels;
  launch("global_pool_backward", spread, blocks_for(n), threads_per_block, 0, stream, dy, dx, accumulate,
         pixels, channels, n);
}

}  // namespace adwp::ADWP_GPU::kernels
