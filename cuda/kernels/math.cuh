// What kernels share: activations (framework/backend/activation.h), sums over warps and blocks, launch sizes.
#pragma once

#include "cuda/kernels/port.cuh"
#include "framework/backend/activation.h"

namespace adwp::ADWP_GPU {

// Writes, or adds to what stands there.
__device__ __forceinline__ void put(float& target, float value, bool accumulate) {
  target = accumulate ? target + value : value;
}

// Every lane gets the sum over the warp; all 32 lanes must call.
template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
  UNROLL for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(~0u, value, bits);
  return value;
}

inline constexpr int threads_per_block = 256;

// Blocks of a grid-stride loop over n elements: enough to fill any device, not more.
inline unsigned blocks_for(std::int64_t n, std::int64_t per_block = threads_per_block) {
  const std::int64_t blocks = (n + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < 4096 ? blocks : 4096);
}
inline unsigned ceil_divide(std::int64_t n, std::int64_t by) {
  return static_cast<unsigned>((n + by - 1) / by);
}

// The grid-stride loop's first index and step.
__device__ __forceinline__ std::int64_t first_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ std::int64_t index_step() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

// Reductions over rows are done in this many parts, a number that depends on the shape alone: the
// order of every sum is fixed.
inline std::int64_t reduction_parts(std::int64_t rows) {
  const std::int64_t parts = (rows + 127) / 128;
  return parts < 1 ? 1 : (parts < 256 ? parts : 256);
}

}  // namespace adwp::ADWP_GPU
