// Where a product goes, and how a tile's sums are stored (tile_product.cuh): C in bf16 8 elements at a time,
// which the lanes of a row have changed about.
#pragma once

#include <type_traits>

#include "cuda/kernels/math.cuh"
#include "cuda/kernels/tile_moments.cuh"

namespace adwp::ADWP_GPU {

// C and what is done on the way there: Full with an epilogue that is known when it runs, else nothing but
// overwriting or adding to rows of neighbouring columns.
template <bool Full, typename T = float>
struct OutputOf {
  using Element = T;
  T* c;
  std::int64_t row_pitch, column_pitch;
  const float* bias;  // by column; may be null
  Activation act;
  bool accumulate;
  std::int64_t split_pitch = 0;  // elements from one split's c to the next's

  static constexpr bool may_add = true;  // to what stands in c, where `accumulate` says so

  bool plain() const { return bias == nullptr && act == Activation::none && column_pitch == 1; }
  // May V columns be stored in one access, where V divides their number?
  bool aligned() const { return reinterpret_cast<std::uintptr_t>(c) % 16 == 0; }

  __device__ T* row(std::int64_t index) const { return c + blockIdx.z * split_pitch + index * row_pitch; }
  template <int V>
  __device__ void store(T* row, std::int64_t column, float (&values)[V]) const {
    if constexpr (Full) {
      UNROLL for (int v = 0; v < V; ++v) {
        if (bias != nullptr) values[v] += bias[column + v];
        put(row[(column + v) * column_pitch], activated(act, values[v]), accumulate);
      }
    } else {
      put(row + column, values, accumulate);
    }
  }
  // Of bf16 eight.
  __device__ void store_octet(T* row, std::int64_t column, const std::uint32_t (&words)[4]) const {
    ptx::store_16(row + column, words);
  }
  __device__ void store(std::int64_t row_index, std::int64_t column, float value) const {
    float values[1] = {value};
    store<1>(row(row_index), column, values);
  }
};
template <typename T = float>
using Output = OutputOf<true, T>;
template <typename T = float>
using PlainOutput = OutputOf<false, T>;

// The same, and also the moments of every column of C as stored (tile_moments.cuh); for products that are not
// split.
template <typename T = float>
struct OutputWithMoments : PlainOutput<T> {
  static constexpr bool may_add = false;
  TileMoments moments;
};
// Stores what a thread has of a row; `wide`: all columns side by side in one access.
template <typename Sums, typename Out>
__device__ __forceinline__ void store_row(const Sums& sums, int i, const Out& out, typename Out::Element* row,
                                          std::int64_t first_column, std::int64_t n, bool wide) {
  constexpr int side = Sums::side;
  UNROLL for (int j = 0; j < Sums::columns; j += side) {
    const std::int64_t column = first_column + Sums::column(j);
    float values[side];
    UNROLL for (int v = 0; v < side; ++v) values[v] = sums.at(i, j + v);
    if (wide) {
      if (column < n) out.template store<side>(row, column, values);
    } else {
      UNROLL for (int v = 0; v < side; ++v) {
        float one[1] = {values[v]};
        if (column + v < n) out.template store<1>(row, column + v, one);
      }
    }
  }
}

// The same of bf16, eight columns side by side. For all lanes of a warp; `inside`: are there row and columns?
template <typename Sums, typename Out>
__device__ __forceinline__ void store_octet(const Sums& sums, int i, const Out& out, std::int64_t row,
                                            std::int64_t column, bool inside) {
  std::uint32_t words[4] = {};
  const bool adds = Out::may_add && out.accumulate;
  if (adds && inside) load_16(words, out.row(row) + column);
  sums.octet(i, adds, words);
  if (inside) out.store_octet(out.row(row), column, words);
}

// For all threads of a block.
template <typename Sums, typename Out>
__device__ __forceinline__ void store_tile(const Sums& sums, const Out& out, std::int64_t first_row,
                                           std::int64_t m, std::int64_t first_column, std::int64_t n,
                                           bool wide) {
  UNROLL for (int i = 0; i < sums.rows; ++i) {
    const std::int64_t row = first_row + sums.row(i);
    if constexpr (Sums::has_octets && std::is_same_v<typename Out::Element, Bf16>) {
      if (wide) {
        const std::int64_t column = first_column + sums.octet_column();
        store_octet(sums, i, out, row, column, row < m && column < n);
        continue;
      }
    }
    if (row < m) store_row(sums, i, out, out.row(row), first_column, n, wide);
  }
}

}  // namespace adwp::ADWP_GPU
