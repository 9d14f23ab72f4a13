// What kernels share: activations (framework/backend/activation.h), sums over warps, launch sizes.
#pragma once

#include "cuda/kernels/port.cuh"
#include "framework/backend/activation.h"

namespace adwp::ADWP_GPU {

// Writes, or adds to what stands there.
__device__ __forceinline__ void put(float& target, float value, bool accumulate) {
  target = accumulate ? target + value : value;
}

// act(x), chosen where the kernel runs: an epilogue is not worth a kernel per activation.
template <int first = 0>
__device__ __forceinline__ float activated(Activation act, float x) {
  if constexpr (first < int(std::size(all_activations))) {
    constexpr Activation kind = all_activations[first];
    return act == kind ? activate<kind>(x) : activated<first + 1>(act, x);
  }
  return x;
}

// Every lane gets the sum over the warp; all 32 lanes must call.
template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
  UNROLL for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(~0u, value, bits);
  return value;
}

inline constexpr int threads_per_block = 256;

inline std::int64_t ceil_divide(std::int64_t n, std::int64_t by) { return (n + by - 1) / by; }
// Blocks of a grid-stride loop over n elements: enough to fill any device, not more.
inline std::int64_t blocks_for(std::int64_t n) {
  const std::int64_t blocks = ceil_divide(n, threads_per_block);
  return blocks < 4096 ? blocks : 4096;
}

// Where a thread stands, in types that do for arithmetic.
__device__ __forceinline__ int thread_index() { return threadIdx.x; }
__device__ __forceinline__ std::int64_t block_index() { return blockIdx.x; }
__device__ __forceinline__ std::int64_t block_index_y() { return blockIdx.y; }

// The thread's index along x, and how many threads the grid has along x: the first index and the step of a
// grid-stride loop.
__device__ __forceinline__ std::int64_t first_index() { return block_index() * blockDim.x + threadIdx.x; }
__device__ __forceinline__ std::int64_t index_step() {
  const std::int64_t blocks = gridDim.x;
  return blocks * blockDim.x;
}

// Where pixel (h, w) of an image begins.
__device__ __forceinline__ std::int64_t pixel(std::int64_t h, int width, int w, int channels) {
  return (h * width + w) * channels;
}

// Reductions over rows are done in this many parts, a number that depends on the shape only: the order of
// every sum is fixed.
inline std::int64_t reduction_parts(std::int64_t rows) {
  const std::int64_t parts = ceil_divide(rows, 128);
  return parts < 1 ? 1 : (parts < 256 ? parts : 256);
}

}  // namespace adwp::ADWP_GPU
