// What the threads of a tile sum (tile_product.cuh).
//
//   - Precision::f32: a thread sums 8 x 4 elements in registers, exact f32 FMA.
//   - tf32, bf16: each of 8 warps makes 32 x 32 by mma.sync from fragments that are rounded on their way out
//     of shared memory; of an operand that lies as bf16 they come by ldmatrix. Sums are f32.
#pragma once

#include <type_traits>

#include "cuda/cuda_backend.h"
#include "cuda/kernels/math.cuh"
#include "cuda/kernels/tile_loader.cuh"

namespace adwp::ADWP_GPU {

// What a thread sums, rows x columns elements of the tile, element at(i, j) in row(i) and column(j). A column
// is spread over `groups` groups of threads within each of which over_lanes() adds up (tile_moments.cuh).

// Sums a thread's 8 x 4 elements; rows and columns lie so that vector loads meet in no bank.
template <typename TileA, typename TileB, bool AlongA, bool AlongB>
struct FmaSums {
  static constexpr int rows = 8, columns = 4, groups = 8;
  static constexpr int side = AlongB ? 1 : 4;  // columns that lie side by side
  static constexpr bool has_octets = false;
  float sums[rows][columns] = {};

  __device__ float& at(int i, int j) { return sums[i][j]; }
  __device__ float at(int i, int j) const { return sums[i][j]; }
  __device__ static int row(int i) {
    const int y = thread_index() / 16;
    return AlongA ? y + 16 * i : y * 8 + i;
  }
  __device__ static int column(int j) {
    const int x = thread_index() % 16;
    return AlongB ? x + 16 * j : x * 4 + j;
  }

  __device__ void add(const float* a, const float* b) {
    UNROLL for (int k = 0; k < tile_k; k += 4) {
      float x[8][4], y[4][4];
      if constexpr (AlongA) {
        const float* from = a + TileA::offset(row(0), k);
        UNROLL for (int i = 0; i < 8; ++i) load(x[i], from + TileA::rows_on(16 * i));
      } else {
        UNROLL for (int d = 0; d < 4; ++d) {
          float low[4], high[4];
          load(low, a + TileA::offset(row(0), k + d));
          load(high, a + TileA::offset(row(4), k + d));
          UNROLL for (int i = 0; i < 4; ++i) {
            x[i][d] = low[i];
            x[i + 4][d] = high[i];
          }
        }
      }
      if constexpr (AlongB) {
        const float* from = b + TileB::offset(column(0), k);
        UNROLL for (int j = 0; j < 4; ++j) load(y[j], from + TileB::rows_on(16 * j));
      } else {
        UNROLL for (int d = 0; d < 4; ++d) {
          float four[4];
          load(four, b + TileB::offset(column(0), k + d));
          UNROLL for (int j = 0; j < 4; ++j) y[j][d] = four[j];
        }
      }
      UNROLL for (int d = 0; d < 4; ++d) {
        UNROLL for (int i = 0; i < 8; ++i) {
          UNROLL for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(x[i][d], y[j][d], sums[i][j]);
        }
      }
    }
  }

  // Of the threads that have rows of the same column: a warp's, 16 apart.
  __device__ static float over_lanes(float value) { return value + __shfl_xor_sync(~0u, value, 16); }
  __device__ static bool first_of_lanes() { return threadIdx.x % 32 < 16; }
  __device__ static int group() { return thread_index() / 32; }
};

// A warp's 32 x 32 elements, as 2 x 4 fragments of 16 x 8.
template <Precision precision, typename TileA, typename TileB>
struct MmaSums {
  static constexpr int depth = precision == Precision::bf16 ? 16 : 8;  // k of one mma
  static constexpr int rows = 4, columns = 8, groups = 4;
  static constexpr int side = 2;
  static constexpr bool has_octets = true;
  float sums[2][4][4] = {};

  __device__ float& at(int i, int j) { return sums[i / 2][j / 2][i % 2 * 2 + j % 2]; }
  __device__ float at(int i, int j) const { return sums[i / 2][j / 2][i % 2 * 2 + j % 2]; }
  __device__ static int row(int i) { return warp_row() + i / 2 * 16 + lane() / 4 + i % 2 * 8; }
  __device__ static int column(int j) { return warp_column() + j / 2 * 8 + lane() % 4 * 2 + j % 2; }

  __device__ static int lane() { return thread_index() % 32; }
  __device__ static int warp_row() { return thread_index() / 32 % 4 * 32; }
  __device__ static int warp_column() { return thread_index() / 128 * 32; }

  // One register of a fragment: the element at `at`, in bf16 with its neighbour in k.
  template <typename Tile>
  __device__ static std::uint32_t fragment(const float* at) {
    if constexpr (precision == Precision::bf16 && Tile::pairs_along_k) {
      const float2 pair = *reinterpret_cast<const float2*>(at);
      return ptx::to_bf16x2(pair.x, pair.y);
    } else if constexpr (precision == Precision::bf16) {
      return ptx::to_bf16x2(at[0], at[Tile::pitch]);
    } else {
      return ptx::to_tf32(*at);
    }
  }

  // Fragments of A by ldmatrix, whose lane i names row i % 8 of matrix i / 8, in the registers' order; where
  // the tile lies across k, rows are k, and come transposed.
  __device__ static void load_matrices(std::uint32_t (&x)[2][4], const Bf16* a, int k) {
    constexpr bool along = TileA::pairs_along_k;
    const int row = along ? lane() % 16 : lane() / 8 % 2 * 8, more = along ? 0 : lane() % 8;
    const Bf16* from = a + TileA::offset(warp_row() + row, k + lane() / 16 * 8 + more);
    UNROLL for (int i = 0; i < 2; ++i) ptx::ldmatrix_x4<!along>(x[i], from + TileA::rows_on(16 * i));
  }
  // Of B, across k: two fragments at a time.
  __device__ static void load_matrices(std::uint32_t (&y)[4][2], const Bf16* b, int k) {
    static_assert(!TileB::pairs_along_k);
    const Bf16* from = b + TileB::offset(warp_column() + lane() / 16 * 8, k + lane() % 16);
    UNROLL for (int j = 0; j < 4; j += 2) {
      std::uint32_t four[4];
      ptx::ldmatrix_x4<true>(four, from + TileB::rows_on(8 * j));
      UNROLL for (int i = 0; i < 4; ++i) y[j + i / 2][i % 2] = four[i];
    }
  }

  __device__ void add(const typename TileA::Element* a, const typename TileB::Element* b) {
    constexpr bool matrices = std::is_same_v<typename TileA::Element, Bf16>;
    constexpr bool matrices_b = std::is_same_v<typename TileB::Element, Bf16>;
    const int group = lane() / 4, in = lane() % 4 * (depth / 8);
    UNROLL for (int k = 0; k < tile_k; k += depth) {
      std::uint32_t x[2][4], y[4][2];
      if constexpr (matrices) load_matrices(x, a, k);
      if constexpr (matrices_b) load_matrices(y, b, k);
      UNROLL for (int half = 0; half < 2; ++half) {  // of the fragment's k
        const int at = k + in + half * (depth / 2);
        if constexpr (!matrices) {
          const float* from_a = a + TileA::offset(warp_row() + group, at);
          UNROLL for (int i = 0; i < 4; ++i) {
            x[i / 2][half * 2 + i % 2] = fragment<TileA>(from_a + TileA::rows_on(8 * i));
          }
        }
        if constexpr (!matrices_b) {
          const float* from_b = b + TileB::offset(warp_column() + group, at);
          UNROLL for (int j = 0; j < 4; ++j) y[j][half] = fragment<TileB>(from_b + TileB::rows_on(8 * j));
        }
      }
      UNROLL for (int i = 0; i < 2; ++i) {
        UNROLL for (int j = 0; j < 4; ++j) {
          if constexpr (precision == Precision::bf16) {
            ptx::mma_bf16(sums[i][j], x[i], y[j]);
          } else {
            ptx::mma_tf32(sums[i][j], x[i], y[j]);
          }
        }
      }
    }
  }

  // A warp's lanes with the same remainder by 4 have the same columns.
  __device__ static float over_lanes(float value) {
    UNROLL for (int bits = 4; bits < 32; bits *= 2) value += __shfl_xor_sync(~0u, value, bits);
    return value;
  }
  __device__ static bool first_of_lanes() { return lane() < 4; }
  __device__ static int group() { return thread_index() / 32 % 4; }

  // Of row i eight columns side by side, from octet_column() on, as the words of their bf16; `adds`: to those
  // that `words` has. Of the four lanes that share the row, each has two of every eight. For all lanes of a
  // warp.
  __device__ void octet(int i, bool adds, std::uint32_t (&words)[4]) const {
    if (adds) exchange(words);
    UNROLL for (int j = 0; j < 4; ++j) {
      float low = at(i, 2 * j), high = at(i, 2 * j + 1);
      if (adds) {
        low += ptx::low_bf16(words[j]);
        high += ptx::high_bf16(words[j]);
      }
      words[j] = ptx::to_bf16x2(low, high);
    }
    exchange(words);
  }
  // Words change places as in a transpose: of two columns of each eight, four lanes get eight of their own,
  // or the other way round.
  __device__ static void exchange(std::uint32_t (&words)[4]) {
    UNROLL for (int bit = 1; bit < 4; bit *= 2) {
      const bool upper = (lane() & bit) != 0;
      UNROLL for (int pair = 0; pair < 2; ++pair) {
        const int j = bit == 1 ? 2 * pair : pair;
        const std::uint32_t other = __shfl_xor_sync(~0u, upper ? words[j] : words[j + bit], bit);
        words[j] = upper ? other : words[j];
        words[j + bit] = upper ? words[j + bit] : other;
      }
    }
  }
  __device__ static int octet_column() { return warp_column() + lane() % 4 * 8; }
};

template <Precision precision, typename TileA, typename TileB, bool AlongA, bool AlongB>
struct SumsFor {
  using Type = MmaSums<precision, TileA, TileB>;
};
template <typename TileA, typename TileB, bool AlongA, bool AlongB>
struct SumsFor<Precision::f32, TileA, TileB, AlongA, AlongB> {
  using Type = FmaSums<TileA, TileB, AlongA, AlongB>;
};

}  // namespace adwp::ADWP_GPU
