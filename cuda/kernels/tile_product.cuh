// One matrix product C (M, N) = A (M, K) B (K, N) for all of GEMM and convolution: what differs is
// where an operand's elements come from, and that an Operand tells.
//
//   struct Operand {
//     using Element;                  // in which its elements lie: float, or Bf16
//     static constexpr bool along_k;  // are neighbours in memory neighbours in k (else in the row)?
//     struct Row;                     // what a thread keeps of one row (an m of A, an n of B)
//     Row row(std::int64_t index) const;
//     struct Depth;                   // what it knows of one k
//     Depth depth(std::int64_t k) const;
//     void advance(Depth&) const;     // by tile_k, without divisions: what a step costs
//     const Element* at(const Row&, const Depth&) const;  // nullptr: zero
//   };
//
// The fast kernel, after the shape of cuBLAS's and CUTLASS's SGEMM:
//   - A block of 256 threads makes a tile of 128 x 64 of C, going down k in steps of 16.
//   - Tiles travel by cp.async, 16 bytes at a time where channels allow (V = 4, else 4 bytes), through
//     three stages: while one is multiplied two are under way.
//   - In shared memory an operand keeps the order it has in memory: [row][k] or [k][row]. So that neither
//     copies nor the loads of any path meet in a bank, the chunks of a row along k are exchanged by a bit
//     pattern of the row (a swizzle), and rows across k are padded (SharedTile;
//     tests/cuda/shared_banks_test.cpp counts).
//   - Precision::f32: a thread sums 8 x 4 elements in registers, exact f32 FMA. tf32, bf16: each of 8 warps
//     makes 32 x 32 by mma.sync from fragments that are rounded on their way out of shared memory;
//     sums are f32.
//   - An operand that lies as bf16 (Backend::storage) is copied so, 8 elements at a time, and its fragments
//     come by ldmatrix. C in bf16 is stored 8 elements at a time, which the lanes of a row have changed
//     about.
// Splits of k (blockIdx.z) write their sums side by side, for a second kernel to add in order.
#pragma once

#include <type_traits>

#include "cuda/cuda_backend.h"
#include "cuda/kernels/input_norm.cuh"
#include "cuda/kernels/math.cuh"
#include "cuda/kernels/part_sums.cuh"
#include "cuda/kernels/product.h"
#include "cuda/kernels/tile_moments.cuh"

namespace adwp::ADWP_GPU {

// Three stages, no more and no fewer. With two, a second barrier would be needed in each step: the stage that
// is filled next would be the one that slower warps still read. With three it was last read before the step's
// barrier. A fourth would not fit: a stage of two operands along k takes 12 KiB, of two across k 13, and a
// block has 48 KiB of static shared memory.
inline constexpr int tile_k = 16, stages = 3;

// A stored matrix: element (row, k) at data[row * pitch + k] (along k) or data[k * pitch + row].
template <bool AlongK, typename T = float>
struct MatrixOperand {
  using Element = T;
  static constexpr bool along_k = AlongK;
  const T* data;
  std::int64_t pitch, rows, deep;  // deep: how many k there are

  struct Row {
    const T* first;  // its element at k = 0; nullptr: no such row
  };
  __device__ Row row(std::int64_t index) const {
    if (index >= rows) return {nullptr};
    return {data + (AlongK ? index * pitch : index)};
  }
  struct Depth {
    std::int64_t k;
  };
  __device__ Depth depth(std::int64_t k) const { return {k}; }
  __device__ void advance(Depth& depth) const { depth.k += tile_k; }
  __device__ const T* at(const Row& row, const Depth& depth) const {
    if (row.first == nullptr || depth.k >= deep) return nullptr;
    return row.first + (AlongK ? depth.k : depth.k * pitch);
  }
};

// A matrix whose channels have a norm to go through: k where stored along it, else rows.
template <bool AlongK, typename T = float>
struct NormedOperand : MatrixOperand<AlongK, T> {
  static constexpr int most_depth = 960;  // along k, for which there is shared memory
  InputNorm input;
};

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
  // Of bf16 eight, which are not added to anything.
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
  TileMoments moments;
};

// --- kernels -----------------------------------------------------------------------------------------

// A tile of Rows x tile_k in shared memory. Along k the four chunks of a row are exchanged by bits 1 and 2 of
// the row: rows that lie 32 floats apart, and so in the same banks, then have a chunk in different ones.
// Across k the padding differs: a fragment in bf16 takes every second k, one in TF32 every k.
template <bool AlongK, int Rows, Precision precision, typename T = float>
struct SharedTile {
  using Element = T;
  static constexpr int pitch = AlongK ? tile_k : Rows + (precision == Precision::bf16 ? 4 : 8);
  static constexpr int elements = AlongK ? Rows * pitch : tile_k * pitch;
  static constexpr bool pairs_along_k = AlongK;  // do k and k + 1 (k even) lie side by side?
  __device__ static constexpr int offset(int row, int k) {
    if constexpr (!AlongK) return k * pitch + row;
    const int swizzle = (row >> 1 & 1) << 1 | (row >> 2 & 1);
    return row * pitch + ((k >> 2 ^ swizzle) << 2) + (k & 3);
  }
  // From an element to that so many rows on, a multiple of 8: these are exchanged alike, and the distance is
  // an immediate of the load.
  static constexpr int rows_on(int rows) { return AlongK ? rows * pitch : rows; }
  static constexpr int floats = elements;  // that it takes the place of
};

// The same of bf16 along k: a row has two chunks, exchanged by bit 2 of the row, for rows 4 apart begin in
// the same bank.
template <int Rows, Precision precision>
struct SharedTile<true, Rows, precision, Bf16> {
  using Element = Bf16;
  static constexpr int pitch = tile_k, elements = Rows * pitch, floats = elements / 2;
  __device__ static constexpr int offset(int row, int k) {
    return row * pitch + ((k >> 3 ^ (row >> 2 & 1)) << 3) + (k & 7);
  }
  static constexpr int rows_on(int rows) { return rows * pitch; }  // of a multiple of 8
};

// Elements of a copy, where V is that of f32.
template <typename T, int V>
inline constexpr int chunk = V == 1 ? 1 : vector_width<T>;

// Brings an operand's tiles to shared memory, one after the other down k; every thread has its chunks of V
// elements, which along k are all of the same k.
template <typename Operand, typename Tile, int Rows, int V>
struct TileLoader {
  static constexpr int chunks = Rows * tile_k / V / 256;
  static_assert(Rows * tile_k % (V * 256) == 0);

  __device__ static int row_in_tile(int chunk) {
    const int i = thread_index() + chunk * 256;
    return Operand::along_k ? i / (tile_k / V) : i % (Rows / V) * V;
  }
  __device__ static int k_in_tile(int chunk) {
    const int i = thread_index() + chunk * 256;
    return Operand::along_k ? i % (tile_k / V) * V : i / (Rows / V);
  }

  static constexpr int depths = Operand::along_k ? 1 : chunks;

  __device__ TileLoader(const Operand& operand, std::int64_t first_row, std::int64_t first_k)
      : operand_(operand) {
    UNROLL for (int i = 0; i < chunks; ++i) rows_[i] = operand.row(first_row + row_in_tile(i));
    UNROLL for (int i = 0; i < depths; ++i) depths_[i] = operand.depth(first_k + k_in_tile(i));
  }
  // `depth`: how many k the tile has.
  __device__ void load(typename Tile::Element* tile, int depth) {
    UNROLL for (int i = 0; i < chunks; ++i) {
      const int k = k_in_tile(i);
      const auto* from = k < depth ? operand_.at(rows_[i], depths_[Operand::along_k ? 0 : i]) : nullptr;
      auto* to = tile + Tile::offset(row_in_tile(i), k);
      ptx::cp_async<V * sizeof(*to)>(to, from != nullptr ? from : operand_.data, from != nullptr);
    }
    UNROLL for (int i = 0; i < depths; ++i) operand_.advance(depths_[i]);
  }

 private:
  const Operand& operand_;
  typename Operand::Row rows_[chunks];
  typename Operand::Depth depths_[depths];
};

// The norm of an operand's tiles. A thread applies it to the chunks that it has brought to shared memory
// itself, when they have landed, before the barrier that lets others read them: the norm costs no barrier of
// its own. A thread's chunks are all of the same channels.
template <typename Operand, typename Tile, int Rows>
struct TileNorm {
  __device__ TileNorm(const Operand&, std::int64_t) {}
  __device__ void apply(typename Tile::Element*, std::int64_t) const {}
};
template <bool AlongK, typename T, typename Tile, int Rows>
struct TileNorm<NormedOperand<AlongK, T>, Tile, Rows> {
  using Loader = TileLoader<NormedOperand<AlongK, T>, Tile, Rows, vector_width<T>>;
  static constexpr int channels = AlongK ? NormedOperand<AlongK, T>::most_depth : Rows;
  // To x factor + (shift - mean factor) bf16 has no digits to lose (NormLine): no mean is read.
  static constexpr bool centred = std::is_same_v<T, float>;

  // For all threads of a block.
  __device__ TileNorm(const NormedOperand<AlongK, T>& operand, std::int64_t first_row)
      : act_(operand.input.act) {
    SHARED(float, lines, [centred ? 3 : 2][channels]);
    const std::int64_t first = AlongK ? 0 : first_row, all = AlongK ? operand.deep : operand.rows;
    for (int i = thread_index(); i < channels && (!AlongK || i < all + tile_k); i += 256) {
      NormLine<1> line;
      const bool inside = first + i < all;
      if (inside) {
        line = NormLine<1>(operand.input.norm, first + i);
        if constexpr (!centred) line.shift[0] -= line.mean[0] * line.factor[0];
      }
      if constexpr (centred) lines[2][i] = inside ? line.mean[0] : 0.0f;
      lines[0][i] = inside ? line.factor[0] : 0.0f;
      lines[1][i] = inside ? line.shift[0] : 0.0f;
    }
    lines_ = lines[0];
    __syncthreads();
  }
  // What the operand has none of, rows or k, is zero before and need not be after: the other operand is zero
  // there, or nobody stores it.
  __device__ void apply(T* tile, std::int64_t first_k) const {
    NormLine<vector_width<T>> line;
    const int k = Loader::k_in_tile(0);
    const float* from = lines_ + (AlongK ? static_cast<int>(first_k) + k : Loader::row_in_tile(0));
    load(line.factor, from);
    load(line.shift, from + channels);
    if constexpr (centred) {
      load(line.mean, from + 2 * channels);
    } else {
      UNROLL for (float& mean : line.mean) mean = 0;
    }
    UNROLL for (int i = 0; i < Loader::chunks; ++i) {
      T* at = tile + Tile::offset(Loader::row_in_tile(i), Loader::k_in_tile(i));
      float values[vector_width<T>];
      load(values, at);
      line.apply(act_, values);
      store(at, values);
    }
  }

 private:
  const float* lines_;
  Activation act_;
};

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

  // Fragments of A by ldmatrix, whose lane i names row i % 8 of matrix i / 8, in the registers' order.
  __device__ static void load_matrices(std::uint32_t (&x)[2][4], const Bf16* a, int k) {
    const Bf16* from = a + TileA::offset(warp_row() + lane() % 16, k + lane() / 16 * 8);
    UNROLL for (int i = 0; i < 2; ++i) ptx::ldmatrix_x4<false>(x[i], from + TileA::rows_on(16 * i));
  }

  __device__ void add(const typename TileA::Element* a, const float* b) {
    constexpr bool matrices = std::is_same_v<typename TileA::Element, Bf16>;
    const int group = lane() / 4, in = lane() % 4 * (depth / 8);
    UNROLL for (int k = 0; k < tile_k; k += depth) {
      std::uint32_t x[2][4], y[4][2];
      if constexpr (matrices) load_matrices(x, a, k);
      UNROLL for (int half = 0; half < 2; ++half) {  // of the fragment's k
        const int at = k + in + half * (depth / 2);
        if constexpr (!matrices) {
          const float* from_a = a + TileA::offset(warp_row() + group, at);
          UNROLL for (int i = 0; i < 4; ++i) {
            x[i / 2][half * 2 + i % 2] = fragment<TileA>(from_a + TileA::rows_on(8 * i));
          }
        }
        const float* from_b = b + TileB::offset(warp_column() + group, at);
        UNROLL for (int j = 0; j < 4; ++j) y[j][half] = fragment<TileB>(from_b + TileB::rows_on(8 * j));
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

  // Of row i eight columns side by side, from octet_column() on, as the words of their bf16: of the four
  // lanes that share the row, each has two of every eight; words change places as in a transpose. For all
  // lanes of a warp.
  __device__ void octet(int i, std::uint32_t (&words)[4]) const {
    UNROLL for (int j = 0; j < 4; ++j) words[j] = ptx::to_bf16x2(at(i, 2 * j), at(i, 2 * j + 1));
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

// For all threads of a block.
template <typename Sums, typename Out>
__device__ __forceinline__ void store_tile(const Sums& sums, const Out& out, std::int64_t first_row,
                                           std::int64_t m, std::int64_t first_column, std::int64_t n,
                                           bool wide) {
  UNROLL for (int i = 0; i < sums.rows; ++i) {
    const std::int64_t row = first_row + sums.row(i);
    if constexpr (Sums::has_octets && std::is_same_v<typename Out::Element, Bf16>) {
      std::uint32_t words[4];
      sums.octet(i, words);
      const std::int64_t column = first_column + sums.octet_column();
      if (wide) {
        if (row < m && column < n) out.store_octet(out.row(row), column, words);
        continue;
      }
    }
    if (row < m) store_row(sums, i, out, out.row(row), first_column, n, wide);
  }
}

// Two blocks an SM where chunks of four are loaded: 128 registers, which none of them spills over. Told
// nothing, ptxas for sm_80 spills to fit one more.
template <Precision precision, int V, typename A, typename B, typename Out>
__global__ void __launch_bounds__(256, V == 4 ? 2 : 1)
    tile_product(A a, B b, Out out, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t k_per_split,
                 bool wide) {
  using TileA = SharedTile<A::along_k, tile_m, precision, typename A::Element>;
  using TileB = SharedTile<B::along_k, tile_n, precision, typename B::Element>;
  using InA = typename A::Element;
  SHARED(float, tiles, [stages][TileA::floats + TileB::floats]);
  // Tiles of a row of them follow each other, so that what they read of A is still in the cache.
  const unsigned across = static_cast<unsigned>((n + tile_n - 1) / tile_n), row_tile = blockIdx.x / across;
  const std::int64_t first_row = std::int64_t{row_tile} * tile_m;
  const std::int64_t first_column = std::int64_t{blockIdx.x % across} * tile_n;
  const std::int64_t begin = blockIdx.z * k_per_split;
  const std::int64_t end = begin + k_per_split < k ? begin + k_per_split : k;
  const int steps = (end - begin + tile_k - 1) / tile_k;
  const int last = end - begin - std::int64_t{steps - 1} * tile_k;  // k of the last tile

  TileLoader<A, TileA, tile_m, chunk<InA, V>> load_a(a, first_row, begin);
  TileLoader<B, TileB, tile_n, V> load_b(b, first_column, begin);
  auto load = [&](int step) {
    if (step < steps) {
      float* stage = tiles[step % stages];
      const int depth = step + 1 < steps ? tile_k : last;
      load_a.load(reinterpret_cast<InA*>(stage), depth);
      load_b.load(stage + TileA::floats, depth);
    }
    ptx::cp_async_commit();  // empty groups keep the count right at the end
  };
  load(0);
  load(1);
  const TileNorm<A, TileA, tile_m> norm_a(a, first_row);
  const TileNorm<B, TileB, tile_n> norm_b(b, first_column);

  typename SumsFor<precision, TileA, TileB, A::along_k, B::along_k>::Type sums;
  for (int step = 0; step < steps; ++step) {
    ptx::cp_async_wait<1>();
    float* stage = tiles[step % stages];
    norm_a.apply(reinterpret_cast<InA*>(stage), begin + step * tile_k);
    norm_b.apply(stage + TileA::floats, begin + step * tile_k);
    __syncthreads();
    load(step + 2);
    sums.add(reinterpret_cast<InA*>(stage), stage + TileA::floats);
  }
  using InC = typename Out::Element;
  constexpr bool leaves_moments = std::is_same_v<Out, OutputWithMoments<InC>>;
  if constexpr (leaves_moments) {  // of C as stored
    UNROLL for (int i = 0; i < sums.rows; ++i) {
      UNROLL for (int j = 0; j < sums.columns; ++j) sums.at(i, j) = rounded<InC>(sums.at(i, j));
    }
  }
  store_tile(sums, out, first_row, m, first_column, n, wide);
  if constexpr (leaves_moments) {
    tile_moments(sums, tiles[0], m - first_row, out.moments, row_tile, first_column);
  }
}

// One thread per element: what the fast kernel is measured against.
template <typename A, typename B>
__global__ void __launch_bounds__(256)
    naive_product(A a, B b, Output<> out, std::int64_t m, std::int64_t n, std::int64_t k) {
  for (std::int64_t i = first_index(); i < m * n; i += index_step()) {
    const typename A::Row row = a.row(i / n);
    const typename B::Row column = b.row(i % n);
    float sum = 0;
    for (std::int64_t d = 0; d < k; ++d) {
      const float* x = a.at(row, a.depth(d));
      const float* y = b.at(column, b.depth(d));
      if (x != nullptr && y != nullptr) sum = fmaf(*x, *y, sum);
    }
    out.store(i / n, i % n, sum);
  }
}

// Each operand element through shared memory once per tile of 16 x 16: the step between the two.
template <typename A, typename B, typename Out>
__global__ void __launch_bounds__(256)
    tiled_product(A a, B b, Out out, std::int64_t m, std::int64_t n, std::int64_t k) {
  SHARED(float, x, [16][17]);
  SHARED(float, y, [16][17]);
  const int i = thread_index() / 16, j = thread_index() % 16;
  const std::int64_t row = block_index() * 16 + i, first_column = block_index_y() * 16;
  const std::int64_t column = first_column + j;
  const typename A::Row own_row = a.row(row);
  const typename B::Row other = b.row(first_column + i);
  float sum = 0;
  for (std::int64_t first = 0; first < k; first += 16) {
    const auto* from_a = first + j < k ? a.at(own_row, a.depth(first + j)) : nullptr;
    const auto* from_b = first + j < k ? b.at(other, b.depth(first + j)) : nullptr;
    x[i][j] = from_a != nullptr ? value_of(*from_a) : 0.0f;
    y[i][j] = from_b != nullptr ? value_of(*from_b) : 0.0f;
    __syncthreads();
    UNROLL for (int d = 0; d < 16; ++d) sum = fmaf(x[i][d], y[j][d], sum);
    __syncthreads();
  }
  if (row < m && column < n) out.store(row, column, sum);
}

// c = what the splits have summed, through the output's epilogue.
template <typename T>
struct StoreSplits {
  Output<T> out;
  int n;
  __device__ void operator()(std::int64_t column, float sum) const {
    const int i = column;  // a product that is split has few elements (ProductShape::splits)
    out.store(i / n, i % n, sum);
  }
};

// --- launching ---------------------------------------------------------------------------------------

// The fast kernel for the precision, and for what operands and C lie as: A in bf16 is multiplied so. From f32
// into bf16 only first layers go, whose channels fill no access: in f32.
template <bool Single, typename A, typename B, typename To, typename Go>
void choose_kernel(Precision precision, bool vector, Go&& go) {
  if constexpr (std::is_same_v<typename A::Element, Bf16>) {
    go(tile_product<Precision::bf16, 4, A, B, To>);
  } else if constexpr (std::is_same_v<typename To::Element, Bf16>) {
    go(tile_product<Precision::f32, 1, A, B, To>);
  } else if (!vector) {
    if constexpr (Single) go(tile_product<Precision::f32, 1, A, B, To>);
  } else if (precision == Precision::f32) {
    go(tile_product<Precision::f32, 4, A, B, To>);
  } else if (precision == Precision::tf32) {
    go(tile_product<Precision::tf32, 4, A, B, To>);
  } else {
    go(tile_product<Precision::bf16, 4, A, B, To>);
  }
}

// `vector`: may whole accesses of 16 bytes be loaded? If not, the fast kernel runs on single elements where
// `Single` has it compiled (images of 3 channels), the tiled one elsewhere. `scratch`: shape.scratch()
// floats. Out: Output, PlainOutput where it can be no other, or OutputWithMoments, which only the fast kernel
// fills, of a product without splits.
template <bool Single, typename A, typename B, typename Out>
void run_product(const char* name, Stream stream, const GpuOptions& options, bool vector, const A& a,
                 const B& b, const Out& out, const ProductShape& shape, float* scratch) {
  using T = typename Out::Element;
  constexpr bool narrow = std::is_same_v<typename A::Element, Bf16>, exact = std::is_same_v<T, float>;
  const std::int64_t m = shape.m, n = shape.n, k = shape.k;
  const Output<T> full{out.c, out.row_pitch, out.column_pitch, out.bias, out.act, out.accumulate};
  if constexpr (!narrow && exact) {
    if (options.level == KernelLevel::naive) {
      return launch(name, naive_product<A, B>, blocks_for(m * n), 256, 0, stream, a, b, full, m, n, k);
    }
  }
  if constexpr (narrow || exact) {
    if (options.level == KernelLevel::tiled || (!vector && !(Single && exact))) {
      return launch(name, tiled_product<A, B, Output<T>>, {ceil_divide(m, 16), ceil_divide(n, 16)}, 256, 0,
                    stream, a, b, full, m, n, k);
    }
  }
  const std::int64_t splits = shape.splits();
  const std::int64_t k_per_split = ceil_divide(ceil_divide(k, splits), tile_k) * tile_k;
  auto run = [&]<typename To>(const To& to) {
    const bool side_by_side = n % vector_width<typename To::Element> == 0 && to.aligned();
    choose_kernel<Single, A, B, To>(options.precision, vector, [&](auto* kernel) {
      launch(name, kernel, {ceil_divide(m, tile_m) * ceil_divide(n, tile_n), 1, splits}, 256, 0, stream, a, b,
             to, m, n, k, k_per_split, side_by_side);
    });
  };
  if (splits > 1) {
    run(PlainOutput<>{scratch, n, 1, nullptr, Activation::none, false, m * n});
    return run_add_parts(name, stream, StoreSplits<T>{full, static_cast<int>(n)}, scratch, splits, m * n);
  }
  if constexpr (std::is_same_v<Out, Output<T>>) {
    if (out.plain()) {
      return run(PlainOutput<T>{out.c, out.row_pitch, 1, nullptr, Activation::none, out.accumulate});
    }
  }
  run(out);
}

// C of two stored matrices (gemm.cu): A (m, k), or (k, m) where transposed, B (k, n), or (n, k). Both
// row-major and dense.
void matrix_product(const char* name, Stream stream, const GpuOptions& options, bool transpose_a,
                    bool transpose_b, const float* a, const float* b, const Output<>& out,
                    const ProductShape& shape, float* scratch);
// x times w transposed, as 1x1 convolutions have it: x (m, k), w (n, k). x goes through its norm first, where
// there is one: only where pointwise_takes_norm(). With OutputWithMoments: of products without splits. T: in
// which x and C lie.
bool pointwise_takes_norm(const GpuOptions& options, const ProductShape& shape, const Tensor& x,
                          const float* w);
template <typename T>
void pointwise_product(Stream stream, const GpuOptions& options, const T* x, const InputNorm& input,
                       const float* w, const OutputWithMoments<T>& out, const ProductShape& shape);
template <typename T>
void pointwise_product(Stream stream, const GpuOptions& options, const T* x, const InputNorm& input,
                       const float* w, const PlainOutput<T>& out, const ProductShape& shape, float* scratch);
// dy transposed times x, for its weights' gradient: dy (k, m), x (k, n), the latter with a norm or without.
bool pointwise_wgrad_takes_norm(const GpuOptions& options, const ProductShape& shape, const float* dy,
                                const float* x);
void pointwise_wgrad(Stream stream, const GpuOptions& options, const float* dy, const float* x,
                     const InputNorm& input, const Output<>& out, const ProductShape& shape, float* scratch);

}  // namespace adwp::ADWP_GPU
