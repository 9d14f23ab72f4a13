// Batch norm: one pass over x for the statistics, unless the convolution that made x has left moments of its
// tiles, and one to normalise and activate; backward likewise, one pass for the two sums per channel and
// one for dx.
//
// All of it is bound by memory. Backward computes normalised values and the activation's derivative
// from x again rather than read them from memory: arithmetic is free here, bytes are not.
#include "cuda/kernels/column_reduce.cuh"
#include "cuda/kernels/tile_moments.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
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
    mean[channel] = x[channel] + difference;
    var[channel] = square > 0 ? square : 0.0;
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
  const std::int64_t channel = first_index();
  ChannelMoments sum{0, 0, 0};
  if (channel < channels) {
    for (std::int64_t tile = tiles * threadIdx.y / 8; tile < tiles * (threadIdx.y + 1) / 8; ++tile) {
      const float* from = moments + tile * 3 * channels + channel;
      const std::int64_t left = rows - tile * tile_m;
      const double count = left < tile_m ? left : tile_m;
      const double pivot = from[0], first = from[channels], second = from[2 * channels];
      sum.merge({count, pivot + first / count, second - first * first / count});
    }
  }
  parts[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || channel >= channels) return;
  for (int part = 1; part < 8; ++part) sum.merge(parts[part][threadIdx.x]);
  mean[channel] = sum.mean;
  const double variance = sum.squares / sum.count;
  var[channel] = variance > 0 ? variance : 0.0;
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
  float *dscale, *dshift;
  bool add_dscale, add_dshift;
  float* totals;  // (2, channels)
  std::int64_t channels;
  __device__ void operator()(std::int64_t channel, double first, double second) const {
    totals[channel] = first;
    totals[channels + channel] = second;
    put(dshift[channel], first, add_dshift);
    put(dscale[channel], second, add_dscale);
  }
};

template <Activation act>
__global__ void __launch_bounds__(threads_per_block)
    input_gradient(Normalised norm, const float* dy, const float* x, const float* totals, float* dx,
                   bool accumulate, std::int64_t rows, std::int64_t channels) {
  const std::int64_t n = rows * channels;
  const float share = 1.0f / rows;
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const std::int64_t channel = i % channels;
    const float unit = norm.unit(x[i], channel), scale = norm.scale[channel];
    const float g = dy[i] * derivative<act>(unit * scale + norm.shift[channel]);
    const float centred = g - share * (totals[channel] + unit * totals[channels + channel]);
    put(dx[i], scale * norm.inverse(channel) * centred, accumulate);
  }
}

// --- launching ---------------------------------------------------------------------------------------

template <typename Op>  // with statistics
Normalised normalised(const Op& op) {
  return {floats(op.mean), floats(op.var), floats(op.scale), floats(op.shift), op.epsilon};
}

template <typename Op>
void run_normalise(Stream stream, const Op& op) {
  const std::int64_t n = op.x.elements();
  dispatch(op.act, [&]<Activation act>() {
    launch("batch_norm_normalise", normalise<act>, blocks_for(n), threads_per_block, 0, stream,
           normalised(op), floats(op.x), floats(op.y), op.x.shape().back(), n);
  });
}

}  // namespace

void batch_norm_of_moments(Stream stream, const BatchNormForward& op, const float* moments) {
  const std::int64_t rows = op.x.shape().rows(), channels = op.x.shape().back();
  launch("batch_norm_merge", merge_moments, ceil_divide(channels, 32), dim3(32, 8), 0, stream, moments,
         floats(op.mean), floats(op.var), rows, ceil_divide(rows, tile_m), channels);
  run_normalise(stream, op);
}

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const BatchNormForward& op, void* workspace) {
  const std::int64_t rows = op.x.shape().rows(), channels = op.x.shape().back();
  const float* x = floats(op.x);
  const double count = rows;
  column_reduce("batch_norm_statistics", stream(), Moments{x, channels},
                StoreMoments{x, floats(op.mean), floats(op.var), count}, scratch(workspace), rows, channels);
  run_normalise(stream(), op);
}

void GpuBackend::compute(const BatchNormInference& op, void*) { run_normalise(stream(), op); }

void GpuBackend::compute(const BatchNormBackward& op, void* workspace) {
  const std::int64_t rows = op.x.shape().rows(), channels = op.x.shape().back();
  const float *dy = floats(op.dy), *x = floats(op.x);
  const Normalised norm = normalised(op);
  float* totals = scratch(workspace) + reduction_parts(rows) * 2 * channels;
  const StoreGradients store{floats(op.dscale), floats(op.dshift), op.dscale.adds(), op.dshift.adds(), totals,
                             channels};
  dispatch(op.act, [&]<Activation act>() {
    column_reduce("batch_norm_gradients", stream(), Gradients<act>{norm, dy, x, channels}, store,
                  scratch(workspace), rows, channels);
    launch("batch_norm_input_gradient", input_gradient<act>, blocks_for(rows * channels), threads_per_block,
           0, stream(), norm, dy, x, totals, floats(op.dx), op.dx.adds(), rows, channels);
  });
}

}  // namespace adwp::ADWP_GPU
