// Global pooling, and the scale of channels that squeeze-and-excitation makes of it. All sums go over the
// pixels in an order that the shape fixes.
#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

// Of the kernels that sum over pixels, a block takes an image (along x, for there may be more than the 65,535
// that y has room for) and 32 channels by 8 rows of pixels.
__device__ __forceinline__ std::int64_t own_channel() { return block_index_y() * 32 + threadIdx.x; }

__global__ void __launch_bounds__(256)
    global_mean(const float* x, float* y, std::int64_t pixels, std::int64_t channels) {
  SHARED(float, sums, [8][32]);
  const std::int64_t channel = own_channel();
  const float* image = x + block_index() * pixels * channels;
  float sum = 0;
  if (channel < channels) {
    for (std::int64_t p = threadIdx.y; p < pixels; p += 8) sum += image[p * channels + channel];
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) {
    float total = 0;
    for (int row = 0; row < 8; ++row) total += sums[row][threadIdx.x];
    y[block_index() * channels + channel] = total / pixels;
  }
}

__global__ void __launch_bounds__(threads_per_block)
    spread(const float* dy, float* dx, bool accumulate, std::int64_t pixels, std::int64_t channels,
           std::int64_t n) {
  const float share = 1.0f / pixels;
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    put(dx[i], dy[i / (pixels * channels) * channels + i % channels] * share, accumulate);
  }
}

__global__ void __launch_bounds__(threads_per_block)
    scale_channels(const float* x, const float* s, float* y, bool accumulate, std::int64_t image,
                   std::int64_t channels, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    put(y[i], x[i] * s[i / image * channels + i % channels], accumulate);
  }
}

// ds[n, c] = sum over pixels of dy x: the sums of 8 rows of pixels in ascending order.
__global__ void __launch_bounds__(256)
    scale_gradient(const float* dy, const float* x, float* ds, bool accumulate, std::int64_t pixels,
                   std::int64_t channels) {
  SHARED(float, sums, [8][32]);
  const std::int64_t channel = own_channel(), image = block_index() * pixels * channels;
  float sum = 0;
  if (channel < channels) {
    for (std::int64_t p = threadIdx.y; p < pixels; p += 8) {
      const std::int64_t i = image + p * channels + channel;
      sum += dy[i] * x[i];
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) {
    float total = 0;
    for (int row = 0; row < 8; ++row) total += sums[row][threadIdx.x];
    put(ds[block_index() * channels + channel], total, accumulate);
  }
}

// Images of (N, H, W, C).
struct Images {
  std::int64_t count, pixels, channels;

  explicit Images(const Shape& s) : count(s[0]), pixels(s[1] * s[2]), channels(s[3]) {}
  std::int64_t elements() const { return count * pixels * channels; }
  // Of the kernels that sum over pixels.
  Grid grid() const { return {count, ceil_divide(channels, 32)}; }
};

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const GlobalPoolForward& op, void*) {
  const Images x(op.x.shape());
  launch(op.name, global_mean, x.grid(), dim3(32, 8), 0, stream(), floats(op.x), floats(op.y), x.pixels,
         x.channels);
}

void GpuBackend::compute(const GlobalPoolBackward& op, void*) {
  const Images dx(op.dx.tensor.shape());
  launch(op.name, spread, blocks_for(dx.elements()), threads_per_block, 0, stream(), floats(op.dy),
         floats(op.dx), op.dx.adds(), dx.pixels, dx.channels, dx.elements());
}

void GpuBackend::compute(const ChannelScaleForward& op, void*) {
  const Images x(op.x.shape());
  launch(op.name, scale_channels, blocks_for(x.elements()), threads_per_block, 0, stream(), floats(op.x),
         floats(op.s), floats(op.y), false, x.pixels * x.channels, x.channels, x.elements());
}

void GpuBackend::compute(const ChannelScaleBackward& op, void*) {
  const Images x(op.x.shape());
  launch(op.name, scale_channels, blocks_for(x.elements()), threads_per_block, 0, stream(), floats(op.dy),
         floats(op.s), floats(op.dx), op.dx.adds(), x.pixels * x.channels, x.channels, x.elements());
  launch("channel_scale_gradient", scale_gradient, x.grid(), dim3(32, 8), 0, stream(), floats(op.dy),
         floats(op.x), floats(op.ds), op.ds.adds(), x.pixels, x.channels);
}

}  // namespace adwp::ADWP_GPU
