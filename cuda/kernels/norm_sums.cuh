// The sums that batch norm's backward begins with, from the dgrad that makes its gradient (NormSums of
// framework/backend/operators.h): the gradient stands in registers, x alone is read again. A tile leaves two
// numbers a channel, and a second kernel adds the tiles' (batch_norm.cu). Values in bf16.
#pragma once

#include "cuda/kernels/input_norm.cuh"
#include "cuda/kernels/math.cuh"
#include "cuda/kernels/product.h"
#include "cuda/kernels/tile_store.cuh"

namespace adwp::ADWP_GPU {

// Of the gradient by a norm of x, where its tiles leave their sums: parts (tiles, 2, channels).
struct SumsInTiles {
  const Bf16* x;
  InputNorm norm;
  float* parts;
};
inline SumsInTiles sums_in_tiles(const NormSums& sums, float* parts) {
  return {sums.x.data<Bf16>(), input_norm(sums.norm), parts};
}
// sums from their parts; or from x and the gradient as they lie.
void add_norm_sums(void* stream, const NormSums& sums, const float* parts, std::int64_t count);
void reduce_norm_sums(void* stream, const NormSums& sums, const Tensor& gradient, float* scratch);

// g times act'(x).
template <int first = 0, int V>
__device__ __forceinline__ void derive_all(Activation act, const float (&x)[V], float (&g)[V]) {
  if constexpr (first < int(std::size(all_activations))) {
    constexpr Activation kind = all_activations[first];
    if (act != kind) return derive_all<first + 1>(act, x, g);
    UNROLL for (int v = 0; v < V; ++v) g[v] *= derivative<kind>(x[v]);
  }
}

// Of V channels: what norm(x) is before its activation, x factor + shift (TileNorm), and sums of g and g x.
template <int V>
struct GradientSums {
  float factor[V] = {}, shift[V] = {}, first[V] = {}, second[V] = {};

  // g: the gradient by norm(x).
  __device__ void add(Activation act, const float (&x)[V], float (&g)[V]) {
    float z[V];
    UNROLL for (int v = 0; v < V; ++v) z[v] = fmaf(x[v], factor[v], shift[v]);
    derive_all(act, z, g);
    UNROLL for (int v = 0; v < V; ++v) {
      first[v] += g[v];
      second[v] = fmaf(g[v], x[v], second[v]);
    }
  }
};
__device__ __forceinline__ void read_line(const Normalised& norm, std::int64_t channel, float& factor,
                                          float& shift) {
  const NormLine<1> line(norm, channel);
  factor = line.factor[0];
  shift = line.shift[0] - line.mean[0] * line.factor[0];
}
// A tile's sums of a channel, of the normalised x; part: (2, channels).
__device__ __forceinline__ void leave_sums(const Normalised& norm, std::int64_t channel, float first,
                                           float second, float* part, std::int64_t channels) {
  const float inverse = 1.0f / sqrtf(norm.var[channel] + norm.epsilon);
  part[channel] = first;
  part[channels + channel] = (second - norm.mean[channel] * first) * inverse;
}

// C, the gradient by a norm's result.
struct OutputWithNormSums : PlainOutput<Bf16> {
  SumsInTiles sums;
};

// Stores a tile, and leaves its sums. For all threads of a block; n fills accesses of eight. `memory`: where
// the block's operands lay.
template <typename Sums>
__device__ void store_with_sums(const Sums& sums, float* memory, const OutputWithNormSums& out,
                                std::int64_t row_tile, std::int64_t m, std::int64_t first_column,
                                std::int64_t n) {
  float *factors = memory, *shifts = memory + tile_n, *groups = memory + 2 * tile_n;
  const Normalised& norm = out.sums.norm.norm;
  const int own = thread_index();
  const std::int64_t channel = first_column + own;
  __syncthreads();  // until here others may read operands
  if (own < tile_n && channel < n) read_line(norm, channel, factors[own], shifts[own]);
  __syncthreads();
  const int column = Sums::octet_column();
  const bool inside = first_column + column < n;
  uint4 stored[Sums::rows];  // of x
  UNROLL for (int i = 0; i < Sums::rows; ++i) {
    const std::int64_t row = row_tile * tile_m + sums.row(i);
    stored[i] = inside && row < m
                    ? *reinterpret_cast<const uint4*>(out.sums.x + row * n + first_column + column)
                    : make_uint4(0, 0, 0, 0);
  }
  GradientSums<8> mine;
  if (inside) {
    load(mine.factor, factors + column);
    load(mine.shift, shifts + column);
  }
  UNROLL for (int i = 0; i < Sums::rows; ++i) {
    const std::int64_t row = row_tile * tile_m + sums.row(i);
    std::uint32_t words[4] = {};
    sums.octet(i, false, words);
    if (inside && row < m) {
      out.store_octet(out.row(row), first_column + column, words);
      float x[8], g[8];
      unpack(x, stored[i]);
      UNROLL for (int j = 0; j < 4; ++j) unpack(g, 2 * j, words[j]);
      mine.add(out.sums.norm.act, x, g);
    }
  }
  UNROLL for (int v = 0; v < 8; ++v) {
    const float first = Sums::over_lanes(mine.first[v]), second = Sums::over_lanes(mine.second[v]);
    if (Sums::first_of_lanes()) {
      groups[Sums::group() * tile_n + column + v] = first;
      groups[(Sums::groups + Sums::group()) * tile_n + column + v] = second;
    }
  }
  __syncthreads();
  if (own >= tile_n || channel >= n) return;
  float first = 0, second = 0;
  UNROLL for (int group = 0; group < Sums::groups; ++group) {
    first += groups[group * tile_n + own];
    second += groups[(Sums::groups + group) * tile_n + own];
  }
  leave_sums(norm, channel, first, second, out.sums.parts + row_tile * 2 * n, n);
}

}  // namespace adwp::ADWP_GPU
