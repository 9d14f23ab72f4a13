// What a product's operands are, and how their tiles come to shared memory (tile_product.cuh).
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
//   - Tiles travel by cp.async, 16 bytes at a time where channels allow (V = 4, else 4 bytes), through
//     three stages: while one is multiplied two are under way.
//   - In shared memory an operand keeps the order it has in memory: [row][k] or [k][row]. So that neither
//     copies nor the loads of any path meet in a bank, the chunks of a row along k are exchanged by a bit
//     pattern of the row (a swizzle), and rows across k are padded (SharedTile;
//     tests/cuda/shared_banks_test.cpp counts).
//   - An operand that lies as bf16 (Backend::storage) is copied so, 8 elements at a time.
#pragma once

#include <type_traits>

#include "cuda/cuda_backend.h"
#include "cuda/kernels/input_norm.cuh"
#include "cuda/kernels/math.cuh"

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
  static constexpr bool pairs_along_k = true;
  __device__ static constexpr int offset(int row, int k) {
    return row * pitch + ((k >> 3 ^ (row >> 2 & 1)) << 3) + (k & 7);
  }
  static constexpr int rows_on(int rows) { return rows * pitch; }  // of a multiple of 8
};

// The same across k: 16 bytes more for each k, so that eight of them begin in banks of their own.
template <int Rows, Precision precision>
struct SharedTile<false, Rows, precision, Bf16> {
  using Element = Bf16;
  static constexpr int pitch = Rows + 8, elements = tile_k * pitch, floats = elements / 2;
  static constexpr bool pairs_along_k = false;
  __device__ static constexpr int offset(int row, int k) { return k * pitch + row; }
  static constexpr int rows_on(int rows) { return rows; }
};

// Elements of a copy, where V is that of f32.
template <typename T, int V>
inline constexpr int chunk = V == 1 ? 1 : vector_width<T>;

// Brings an operand's tiles to shared memory, one after the other down k; every thread has its chunks of V
// elements, which along k are all of the same k. A tile of fewer chunks than threads is for the first warps.
template <typename Operand, typename Tile, int Rows, int V>
struct TileLoader {
  static constexpr int all = Rows * tile_k / V, chunks = (all + 255) / 256;
  static_assert(all % 256 == 0 || (chunks == 1 && all % 32 == 0));

  __device__ static bool takes_part() { return all >= 256 || thread_index() < all; }
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
    if (!takes_part()) return;
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
    if (!Loader::takes_part()) return;
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

}  // namespace adwp::ADWP_GPU
