// What kernels share: activations (framework/backend/activation.h), sums over warps, launch sizes.
#pragma once

#include <utility>

#include "cuda/kernels/port.cuh"
#include "framework/backend/activation.h"

namespace adwp::ADWP_GPU {

// Writes, or adds to what stands there.
__device__ __forceinline__ void put(float& target, float value, bool accumulate) {
  target = accumulate ? target + value : value;
}

// act(x), chosen where the kernel runs: an epilogue is not worth a kernel per activation.
template <int first = 0, int V>
__device__ __forceinline__ void activate_all(Activation act, float (&x)[V]) {
  if constexpr (first < int(std::size(all_activations))) {
    constexpr Activation kind = all_activations[first];
    if (act != kind) return activate_all<first + 1>(act, x);
    UNROLL for (int v = 0; v < V; ++v) x[v] = activate<kind>(x[v]);
  }
}
__device__ __forceinline__ float activated(Activation act, float x) {
  float one[1] = {x};
  activate_all(act, one);
  return one[0];
}

// Every lane gets the sum over the warp; all 32 lanes must call.
template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
  UNROLL for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(~0u, value, bits);
  return value;
}

// V floats side by side: where V is 4 or 2, in one access of 16 or 8 bytes.
template <int V>
__device__ __forceinline__ void load(float (&to)[V], const float* from) {
  if constexpr (V == 4) {
    const float4 v = *reinterpret_cast<const float4*>(from);
    to[0] = v.x;
    to[1] = v.y;
    to[2] = v.z;
    to[3] = v.w;
  } else if constexpr (V == 2) {
    const float2 v = *reinterpret_cast<const float2*>(from);
    to[0] = v.x;
    to[1] = v.y;
  } else {
    UNROLL for (int i = 0; i < V; ++i) to[i] = from[i];
  }
}
template <int V>
__device__ __forceinline__ void store(float* to, const float (&from)[V]) {
  if constexpr (V == 4) {
    *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
  } else if constexpr (V == 2) {
    *reinterpret_cast<float2*>(to) = make_float2(from[0], from[1]);
  } else {
    UNROLL for (int i = 0; i < V; ++i) to[i] = from[i];
  }
}
// Writes, or adds to what stands there.
template <int V>
__device__ __forceinline__ void put(float* target, const float (&values)[V], bool accumulate) {
  float sums[V] = {};
  if (accumulate) load(sums, target);
  UNROLL for (int i = 0; i < V; ++i) sums[i] = accumulate ? sums[i] + values[i] : values[i];
  store(target, sums);
}

inline constexpr int threads_per_block = 256;

inline std::int64_t ceil_divide(std::int64_t n, std::int64_t by) { return (n + by - 1) / by; }
// Blocks of a grid-stride loop over n elements: enough to fill any device, not more.
inline std::int64_t blocks_for(std::int64_t n) {
  const std::int64_t blocks = ceil_divide(n, threads_per_block);
  return blocks < 4096 ? blocks : 4096;
}

// Calls body.operator()<V>() with V = 4 where rows of so many channels, at these places, are made of whole
// accesses of 16 bytes, else with V = 1.
template <typename Body, typename... Pointers>
void dispatch_width(std::int64_t channels, Body&& body, Pointers... pointers) {
  const bool aligned = ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
  if (aligned && channels % 4 == 0) return body.template operator()<4>();
  body.template operator()<1>();
}

// Calls body(first element, rows) for pieces of the rows that a kernel can index with 32 bits: one piece, but
// for tensors of more than 4 GiB.
template <typename Body>
void in_pieces(std::int64_t rows, std::int64_t channels, Body&& body) {
  const std::int64_t most = channels < (1 << 30) ? (1 << 30) / channels : 1;
  for (std::int64_t row = 0; row < rows; row += most) {
    body(row * channels, rows - row < most ? rows - row : most);
  }
}

// Blocks of a grid-stride loop over `count` items of rows of `width`, such that a thread has the same place
// in the row every time. Enough to fill any device.
inline std::int64_t blocks_in_step(std::int64_t count, std::int64_t width) {
  std::int64_t a = width, b = threads_per_block;
  while (b != 0) a = std::exchange(b, a % b);  // their greatest common divisor
  return ceil_divide(blocks_for(count), width / a) * (width / a);
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
