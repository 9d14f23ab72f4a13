// The tails of reductions: what many blocks have left is added by few, in an order that the shape fixes.
//
// A tail has little to read and nothing to compute; it costs what its longest chain of dependent loads and
// additions takes. So a block takes few columns, 8 (a sector of 32 bytes) or 32, and all its threads go down
// the parts side by side; then lanes of a warp add up by shuffles, and warps in shared memory.
#pragma once

#include "cuda/kernels/math.cuh"

namespace adwp::ADWP_GPU {

// Every lane gets the sum over the lanes of its warp with the same remainder by `Columns`.
template <int Columns, typename T>
__device__ __forceinline__ T over_lanes(T value) {
  UNROLL for (int bits = Columns; bits < 32; bits *= 2) value += __shfl_xor_sync(~0u, value, bits);
  return value;
}

// `Count` sums each of `Columns` columns, over all `rows` of a block of Threads.
template <int Columns, int Threads, typename T, int Count>
struct PartSums {
  static constexpr int rows = Threads / Columns, warps = Threads / 32;

  __device__ static int column() { return thread_index() % Columns; }
  __device__ static int row() { return thread_index() / Columns; }

  // For all threads of a block. The threads of row 0 get the sums of their columns.
  __device__ static void add(T (&values)[Count]) {
    SHARED(T, sums, [Count][warps][Columns]);
    const int warp = thread_index() / 32;
    UNROLL for (int i = 0; i < Count; ++i) {
      const T sum = over_lanes<Columns>(values[i]);
      if (thread_index() % 32 < Columns) sums[i][warp][column()] = sum;
    }
    __syncthreads();
    if (thread_index() >= Columns) return;
    UNROLL for (int i = 0; i < Count; ++i) {
      values[i] = 0;
      UNROLL for (int other = 0; other < warps; ++other) values[i] += sums[i][other][column()];
    }
  }
};

// Sums of a block's 8 warps, each lane's of a column of its own: Rows x Each of them to partial (Rows, Each,
// pitch), which begins at the thread's column. For all threads of a block; `inside`: is there that column?
template <int Rows, int Each>
__device__ __forceinline__ void leave_partials(const float (&own)[Rows][Each], int lane, int warp,
                                               bool inside, float* partial, int pitch) {
  SHARED(float, sums, [Each][8][32]);
  UNROLL for (int r = 0; r < Rows; ++r) {
    UNROLL for (int t = 0; t < Each; ++t) sums[t][warp][lane] = own[r][t];
    __syncthreads();
    for (int t = warp; t < Each; t += 8) {
      float total = 0;
      UNROLL for (int row = 0; row < 8; ++row) total += sums[t][row][lane];
      if (inside) partial[(r * Each + t) * pitch] = total;
    }
    __syncthreads();
  }
}

// Output rows (n, p) of gradients by kernels are summed in this many parts, which the shape alone says.
inline std::int64_t wgrad_parts(std::int64_t rows) {
  const std::int64_t parts = ceil_divide(rows, 32);
  return parts < 1 ? 1 : (parts < 256 ? parts : 256);
}

// dw (columns, taps) from sums (taps, columns).
struct StoreTaps {
  float* dw;
  bool accumulate;
  int taps, columns;
  __device__ void operator()(std::int64_t column, float sum) const {
    const int i = column;
    put(dw[i % columns * taps + i / columns], sum, accumulate);
  }
};

// finish(column, sum over the parts of partial (parts, columns)) for every column.
template <int Columns, typename Finish>
__global__ void __launch_bounds__(256)
    add_parts(Finish finish, const float* partial, std::int64_t parts, std::int64_t columns) {
  using Sums = PartSums<Columns, 256, float, 1>;
  const std::int64_t column = block_index() * Columns + Sums::column();
  float sum[1] = {};
  if (column < columns) {
    for (std::int64_t part = Sums::row(); part < parts; part += Sums::rows) {
      sum[0] += partial[part * columns + column];
    }
  }
  Sums::add(sum);
  if (Sums::row() == 0 && column < columns) finish(column, sum[0]);
}

// Few parts: 32 columns to a block, so that warps read 128 bytes; many: 8, so that no thread has more than 8
// of the at most 256 parts there are.
template <typename Finish>
void run_add_parts(const char* name, Stream stream, const Finish& finish, const float* partial,
                   std::int64_t parts, std::int64_t columns) {
  if (parts < 64) {
    return launch(name, add_parts<32, Finish>, ceil_divide(columns, 32), 256, 0, stream, finish, partial,
                  parts, columns);
  }
  launch(name, add_parts<8, Finish>, ceil_divide(columns, 8), 256, 0, stream, finish, partial, parts,
         columns);
}

}  // namespace adwp::ADWP_GPU
