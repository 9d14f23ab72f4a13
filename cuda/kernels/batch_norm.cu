// Batch norm: one pass over x for the statistics, unless the convolution that made x has left moments of its
// tiles, and one to normalise and activate; backward likewise, one pass for the two sums a channel and one
// for dx.
//
// All of it is bound by memory. Backward works out normalised values and the activation's derivative
// anew from x rather than read them from memory: arithmetic is free here, bytes are not.
#include "cuda/kernels/batch_norm.h"

#include "cuda/kernels/column_reduce.cuh"
#include "cuda/kernels/product.h"

namespace adwp::ADWP_GPU::kernels {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

// Sums of the difference from the first row and of its square: no cancellation when the mean is large.
struct Moments {
  const float* x;
  std::int64_t channels;
  __device__ void operator()(std::int64_t row, std::int64_t channel, float& first, float& second) const {
    const float difference = x[row * channels + channel] - x[channel];
    first += difference;
    second += difference * difference;
  }
};

struct StoreMoments {
  const float* x;
  float *mean, *var;
  double rows;
  __device__ void operator()(std::int64_t channel, double first, double second) const {
    const double difference = first / rows, square = second / rows - difference * difference;
    mean[channel] = static_cast<float>(x[channel] + difference);
    var[channel] = square > 0 ? static_cast<float>(square) : 0.0f;
  }
};

// Count, mean and sum of squared deviations of some rows of a channel.
struct ChannelMoments {
  double count, mean, squares;

  // After Chan, Golub & LeVeque 1979.
  __device__ void merge(const ChannelMoments& other) {
    if (other.count == 0) return;
    const double total = count + other.count, difference = other.mean - mean;
    mean += difference * (other.count / total);
    squares += other.squares + difference * difference * (count * other.count / total);
    count = total;
  }
};

// Mean and variance from the moments of tiles of rows (tiles, 3, channels), as tile_moments.cuh leaves them.
// A block takes 32 channels; each of its 8 warps merges its part of the tiles in ascending order, the first
// warp then the parts.
__global__ void __launch_bounds__(256)
    merge_moments(const float* moments, float* mean, float* var, std::int64_t rows, std::int64_t tiles,
                  std::int64_t channels) {
  SHARED(ChannelMoments, parts, [8][32]);
  const std::int64_t channel = static_cast<std::int64_t>(blockIdx.x) * 32 + threadIdx.x;
  ChannelMoments sum{0, 0, 0};
  if (channel < channels) {
    for (std::int64_t tile = tiles * threadIdx.y / 8; tile < tiles * (threadIdx.y + 1) / 8; ++tile) {
      const float* from = moments + tile * 3 * channels + channel;
      const std::int64_t left = rows - tile * tile_m;
      const auto count = static_cast<double>(left < tile_m ? left : tile_m);
      const double pivot = from[0], first = from[channels], second = from[2 * channels];
      sum.merge({count, pivot + first / count, second - first * first / count});
    }
  }
  parts[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || channel >= channels) return;
  for (int part = 1; part < 8; ++part) sum.merge(parts[part][threadIdx.x]);
  mean[channel] = static_cast<float>(sum.mean);
  const double variance = sum.squares / sum.count;
  var[channel] = variance > 0 ? static_cast<float>(variance) : 0.0f;
}

struct Normalised {
  const float *mean, *var, *scale, *shift;
  float epsilon;

  __device__ float inverse(std::int64_t channel) const { return 1.0f / sqrtf(var[channel] + epsilon); }
  __device__ float unit(float x, std::int64_t channel) const {
    return (x - mean[channel]) * inverse(channel);
  }
  __device__ float affine(float x, std::int64_t channel) const {
    return unit(x, channel) * scale[channel] + shift[channel];
  }
};

template <Activation act>
__global__ void __launch_bounds__(threads_per_block)
    normalise(Normalised norm, const float* x, float* y, std::int64_t channels, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    y[i] = activate<act>(norm.affine(x[i], i % channels));
  }
}

// The gradient by the normalised value, before scale: dy act'(..), and its product with that value.
template <Activation act>
struct Gradients {
  Normalised norm;
  const float *dy, *x;
  std::int64_t channels;
  __device__ void operator()(std::int64_t row, std::int64_t channel, float& first, float& second) const {
    const std::int64_t i = row * channels + channel;
    const float unit = norm.unit(x[i], channel);
    const float g = dy[i] * derivative<act>(unit * norm.scale[channel] + norm.shift[channel]);
    first += g;
    second += g * unit;
  }
};

struct StoreGradients {
  BatchNormGradients out;
  float* totals;  // (2, channels)
  std::int64_t channels;
  __device__ void operator()(std::int64_t channel, double first, double second) const {
    totals[channel] = static_cast<float>(first);
    totals[channels + channel] = static_cast<float>(second);
    put(out.dshift[channel], static_cast<float>(first), out.dshift_accumulate);
    put(out.dscale[channel], static_cast<float>(second), out.dscale_accumulate);
  }
};

template <Activation act>
__global__ void __launch_bounds__(threads_per_block)
    input_gradient(Normalised norm, const float* dy, const float* x, const float* totals, float* dx,
                   bool accumulate, std::int64_t rows, std::int64_t channels) {
  const std::int64_t n = rows * channels;
  const float share = 1.0f / static_cast<float>(rows);
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const std::int64_t channel = i % channels;
    const float unit = norm.unit(x[i], channel), scale = norm.scale[channel];
    const float g = dy[i] * derivative<act>(unit * scale + norm.shift[channel]);
    const float centred = g - share * (totals[channel] + unit * totals[channels + channel]);
    put(dx[i], scale * norm.inverse(channel) * centred, accumulate);
  }
}

// Layer norm: one warp a row, which it reads three times; rows are short and stay in the cache.
constexpr int rows_per_block = 4;

template <Activation act>
__global__ void __launch_bounds__(32 * rows_per_block)
    normalise_rows(const float* x, float* y, float* mean, float* inverse, float epsilon, std::int64_t rows,
                   std::int64_t columns) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * rows_per_block + threadIdx.x / 32;
  const std::int64_t lane = threadIdx.x % 32;
  if (row >= rows) return;  // the whole warp
  const float* in = x + row * columns;
  float sum = 0, squares = 0;
  for (std::int64_t c = lane; c < columns; c += 32) sum += in[c];
  const float middle = warp_sum(sum) / static_cast<float>(columns);
  for (std::int64_t c = lane; c < columns; c += 32) squares += (in[c] - middle) * (in[c] - middle);
  const float factor = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(columns) + epsilon);
  for (std::int64_t c = lane; c < columns; c += 32) {
    y[row * columns + c] = activate<act>((in[c] - middle) * factor);
  }
  if (lane == 0) {
    mean[row] = middle;
    inverse[row] = factor;
  }
}

template <Activation act>
__global__ void __launch_bounds__(32 * rows_per_block)
    row_gradient(const float* dy, const float* x, const float* mean, const float* inverse, float* dx,
                 bool accumulate, std::int64_t rows, std::int64_t columns) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * rows_per_block + threadIdx.x / 32;
  const std::int64_t lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float middle = mean[row], factor = inverse[row];
  float first = 0, second = 0;
  for (std::int64_t c = lane; c < columns; c += 32) {
    const float unit = (x[row * columns + c] - middle) * factor;
    const float g = dy[row * columns + c] * derivative<act>(unit);
    first += g;
    second += g * unit;
  }
  first = warp_sum(first) / static_cast<float>(columns);
  second = warp_sum(second) / static_cast<float>(columns);
  for (std::int64_t c = lane; c < columns; c += 32) {
    const float unit = (x[row * columns + c] - middle) * factor;
    const float g = dy[row * columns + c] * derivative<act>(unit);
    put(dx[row * columns + c], factor * (g - first - unit * second), accumulate);
  }
}

}  // namespace

// --- launchers ---------------------------------------------------------------------------------------

void batch_norm_forward(Stream stream, const NormShape& shape, const float* x, const float* scale,
                        const float* shift, float* y, float* mean, float* var, float* scratch) {
  column_reduce("batch_norm_statistics", stream, Moments{x, shape.channels},
                StoreMoments{x, mean, var, static_cast<double>(shape.rows)}, scratch, shape.rows,
                shape.channels);
  batch_norm_inference(stream, shape, x, mean, var, scale, shift, y);
}

void batch_norm_forward_moments(Stream stream, const NormShape& shape, const float* moments, const float* x,
                                const float* scale, const float* shift, float* y, float* mean, float* var) {
  launch("batch_norm_merge", merge_moments, ceil_divide(shape.channels, 32), dim3(32, 8), 0, stream, moments,
         mean, var, shape.rows, (shape.rows + tile_m - 1) / tile_m, shape.channels);
  batch_norm_inference(stream, shape, x, mean, var, scale, shift, y);
}

void batch_norm_inference(Stream stream, const NormShape& shape, const float* x, const float* mean,
                          const float* var, const float* scale, const float* shift, float* y) {
  const std::int64_t n = shape.rows * shape.channels;
  dispatch(shape.act, [&]<Activation act>() {
    launch("batch_norm_normalise", normalise<act>, blocks_for(n), threads_per_block, 0, stream,
           Normalised{mean, var, scale, shift, shape.epsilon}, x, y, shape.channels, n);
  });
}

void batch_norm_backward(Stream stream, const NormShape& shape, const float* dy, const float* x,
                         const float* mean, const float* var, const float* scale, const float* shift,
                         const BatchNormGradients& gradients, float* scratch) {
  const Normalised norm{mean, var, scale, shift, shape.epsilon};
  float* totals = scratch + reduction_parts(shape.rows) * 2 * shape.channels;
  dispatch(shape.act, [&]<Activation act>() {
    column_reduce("batch_norm_gradients", stream, Gradients<act>{norm, dy, x, shape.channels},
                  StoreGradients{gradients, totals, shape.channels}, scratch, shape.rows, shape.channels);
    launch("batch_norm_input_gradient", input_gradient<act>, blocks_for(shape.rows * shape.channels),
           threads_per_block, 0, stream, norm, dy, x, totals, gradients.dx, gradients.dx_accumulate,
           shape.rows, shape.channels);
  });
}

void layer_norm_forward(Stream stream, const NormShape& shape, const float* x, float* y, float* mean,
                        float* inverse) {
  dispatch(shape.act, [&]<Activation act>() {
    launch("layer_norm_forward", normalise_rows<act>, ceil_divide(shape.rows, rows_per_block),
           32 * rows_per_block, 0, stream, x, y, mean, inverse, shape.epsilon, shape.rows, shape.channels);
  });
}

void layer_norm_backward(Stream stream, const NormShape& shape, const float* dy, const float* x,
                         const float* mean, const float* inverse, float* dx, bool accumulate) {
  dispatch(shape.act, [&]<Activation act>() {
    launch("layer_norm_backward", row_gradient<act>, ceil_divide(shape.rows, rows_per_block),
           32 * rows_per_block, 0, stream, dy, x, mean, inverse, dx, accumulate, shape.rows, shape.channels);
  });
}

}  // namespace adwp::ADWP_GPU::kernels
