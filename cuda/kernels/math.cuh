// What kernels share: activations (framework/backend/activation.h), what lies in memory, sums over warps,
// launch sizes.
#pragma once

#include <utility>

#include "cuda/kernels/port.cuh"
#include "framework/backend/activation.h"
#include "framework/core/tensor.h"

namespace adwp::ADWP_GPU {

// What lies in memory, f32 or bf16, and what is computed with.
__device__ __forceinline__ float value_of(float x) { return x; }
__device__ __forceinline__ float value_of(Bf16 x) { return ptx::low_bf16(x.bits); }
template <typename T>
__device__ __forceinline__ T as_stored(float value) {
  if constexpr (sizeof(T) == 4) {
    return value;
  } else {
    return {static_cast<std::uint16_t>(ptx::to_bf16x2(value, 0.0f))};
  }
}
// The value as it will be found.
template <typename T>
__device__ __forceinline__ float rounded(float value) {
  return value_of(as_stored<T>(value));
}

// Writes, or adds to what stands there.
template <typename T>
__device__ __forceinline__ void put(T& target, float value, bool accumulate) {
  target = as_stored<T>(accumulate ? value_of(target) + value : value);
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

// V values side by side, in accesses of 16 bytes where they fill some, else in one of 8 or 4, or one by one.
template <int V>
__device__ __forceinline__ void load(float (&to)[V], const float* from) {
  if constexpr (V % 4 == 0) {
    UNROLL for (int i = 0; i < V; i += 4) {
      const float4 v = *reinterpret_cast<const float4*>(from + i);
      to[i] = v.x;
      to[i + 1] = v.y;
      to[i + 2] = v.z;
      to[i + 3] = v.w;
    }
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
  if constexpr (V % 4 == 0) {
    UNROLL for (int i = 0; i < V; i += 4) {
      *reinterpret_cast<float4*>(to + i) = make_float4(from[i], from[i + 1], from[i + 2], from[i + 3]);
    }
  } else if constexpr (V == 2) {
    *reinterpret_cast<float2*>(to) = make_float2(from[0], from[1]);
  } else {
    UNROLL for (int i = 0; i < V; ++i) to[i] = from[i];
  }
}
template <int V>
__device__ __forceinline__ void unpack(float (&to)[V], int first, std::uint32_t word) {
  to[first] = ptx::low_bf16(word);
  to[first + 1] = ptx::high_bf16(word);
}
// 16 bytes as they lie.
__device__ __forceinline__ void load_16(std::uint32_t (&to)[4], const Bf16* from) {
  const uint4 v = *reinterpret_cast<const uint4*>(from);
  to[0] = v.x;
  to[1] = v.y;
  to[2] = v.z;
  to[3] = v.w;
}
template <int V>
__device__ __forceinline__ void load(float (&to)[V], const Bf16* from) {
  if constexpr (V == 8) {
    std::uint32_t words[4];
    load_16(words, from);
    UNROLL for (int i = 0; i < 4; ++i) unpack(to, 2 * i, words[i]);
  } else if constexpr (V == 4) {
    const uint2 v = *reinterpret_cast<const uint2*>(from);
    unpack(to, 0, v.x);
    unpack(to, 2, v.y);
  } else if constexpr (V == 2) {
    unpack(to, 0, *reinterpret_cast<const std::uint32_t*>(from));
  } else {
    UNROLL for (int i = 0; i < V; ++i) to[i] = value_of(from[i]);
  }
}
template <int V>
__device__ __forceinline__ void store(Bf16* to, const float (&from)[V]) {
  const auto word = [&](int i) { return ptx::to_bf16x2(from[i], from[i + 1]); };
  if constexpr (V == 8) {
    *reinterpret_cast<uint4*>(to) = make_uint4(word(0), word(2), word(4), word(6));
  } else if constexpr (V == 4) {
    *reinterpret_cast<uint2*>(to) = make_uint2(word(0), word(2));
  } else if constexpr (V == 2) {
    *reinterpret_cast<std::uint32_t*>(to) = word(0);
  } else {
    UNROLL for (int i = 0; i < V; ++i) to[i] = as_stored<Bf16>(from[i]);
  }
}
// The values as they will be found.
template <typename T, int V>
__device__ __forceinline__ void round_all(float (&values)[V]) {
  if constexpr (std::is_same_v<T, Bf16> && V % 2 == 0) {
    UNROLL for (int i = 0; i < V; i += 2) unpack(values, i, ptx::to_bf16x2(values[i], values[i + 1]));
  } else {
    UNROLL for (float& value : values) value = rounded<T>(value);
  }
}
// Writes to global memory, or adds to what stands there.
template <int V, typename T>
__device__ __forceinline__ void put(T* target, const float (&values)[V], bool accumulate) {
  float sums[V] = {};
  if (accumulate) load(sums, target);
  UNROLL for (int i = 0; i < V; ++i) sums[i] = accumulate ? sums[i] + values[i] : values[i];
  if constexpr (V % 4 == 0 && std::is_same_v<T, float>) {
    UNROLL for (int i = 0; i < V; i += 4) {
      const float four[4] = {sums[i], sums[i + 1], sums[i + 2], sums[i + 3]};
      ptx::store_16(target + i, four);
    }
  } else {
    store(target, sums);
  }
}

inline constexpr int threads_per_block = 256;

inline std::int64_t ceil_divide(std::int64_t n, std::int64_t by) { return (n + by - 1) / by; }
// Blocks of a grid-stride loop over n elements: enough to fill any device, not more.
inline std::int64_t blocks_for(std::int64_t n) {
  const std::int64_t blocks = ceil_divide(n, threads_per_block);
  return blocks < 4096 ? blocks : 4096;
}

// How many T an access of 16 bytes holds.
template <typename T>
inline constexpr int vector_width = 16 / sizeof(T);

// Calls body.operator()<V>() with V = vector_width<T> where rows of so many channels, at these places, are
// made of whole accesses of 16 bytes, else with V = 1.
template <typename T = float, typename Body, typename... Pointers>
void dispatch_width(std::int64_t channels, Body&& body, Pointers... pointers) {
  const bool aligned = ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
  if (aligned && channels % vector_width<T> == 0) return body.template operator()<vector_width<T>>();
  body.template operator()<1>();
}

// Calls body.operator()<T>() with the type in which a value lies.
template <typename Body>
void dispatch_stored(const Tensor& value, Body&& body) {
  if (value.dtype() == DType::bf16) return body.template operator()<Bf16>();
  body.template operator()<float>();
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
