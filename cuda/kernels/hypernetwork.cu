// The HyperNetwork's operators. Small next to its matrix products; what matters is that each is one
// launch for all layers of a network.
#include "cuda/kernels/hypernetwork.h"

#include "cuda/kernels/math.cuh"

namespace adwp::ADWP_GPU::kernels {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

__global__ void __launch_bounds__(threads_per_block)
    sum_entries(EmbeddingTables tables, const std::int32_t* index, float* y, std::int64_t width,
                std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const std::int64_t row = i / width, d = i % width;
    float sum = 0;
    for (int t = 0; t < tables.count; ++t) {
      sum += tables.table[t][index[row * tables.count + t] * width + d];
    }
    y[i] = sum;
  }
}

// A thread owns one number of one entry and goes down the rows: the order is fixed without atomics.
// Indices are the same for all threads of a block, so they come from the cache.
__global__ void __launch_bounds__(128)
    gather_gradient(const float* dy, const std::int32_t* index, int tables, int column, float* dtable,
                    bool accumulate, std::int64_t rows, std::int64_t width) {
  const std::int64_t entry = blockIdx.x;
  const std::int64_t d = static_cast<std::int64_t>(blockIdx.y) * 128 + threadIdx.x;
  if (d >= width) return;
  float sum = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    if (index[row * tables + column] == entry) sum += dy[row * width + d];
  }
  put(dtable[entry * width + d], sum, accumulate);
}

// Where element i of a piece stands in the source, and where it goes.
struct Move {
  std::int64_t source, target;
};
__device__ Move move_of(const TilePiece& p, std::int64_t i) {
  const std::int64_t column = i % p.cols, tap = i / p.cols % p.taps, row = i / p.cols / p.taps;
  const std::int64_t tile = row / p.tile_rows * p.tiles_across + column / p.tile_cols;
  return {p.source + tile * p.pitch + (row % p.tile_rows * p.taps + tap) * p.tile_cols + column % p.tile_cols,
          p.target + (row * p.taps + tap) * p.target_cols + column};
}

constexpr int blocks_per_piece = 4;

// Block (piece, part); no two pieces share an element of either side.
__global__ void __launch_bounds__(threads_per_block)
    cut_pieces(const float* source, const TilePiece* pieces, float* out) {
  const TilePiece piece = pieces[blockIdx.x];
  const std::int64_t n = static_cast<std::int64_t>(piece.rows) * piece.taps * piece.cols;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.y) * threads_per_block + threadIdx.x; i < n;
       i += blocks_per_piece * threads_per_block) {
    const Move move = move_of(piece, i);
    out[move.target] = piece.scale * source[move.source] + piece.offset;
  }
}

__global__ void __launch_bounds__(threads_per_block)
    return_pieces(const float* dout, const TilePiece* pieces, float* dsource) {
  const TilePiece piece = pieces[blockIdx.x];
  const std::int64_t n = static_cast<std::int64_t>(piece.rows) * piece.taps * piece.cols;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.y) * threads_per_block + threadIdx.x; i < n;
       i += blocks_per_piece * threads_per_block) {
    const Move move = move_of(piece, i);
    dsource[move.source] += piece.scale * dout[move.target];
  }
}

}  // namespace

// --- launchers ---------------------------------------------------------------------------------------

void embedding_sum(Stream stream, const EmbeddingTables& tables, const std::int32_t* index, float* y,
                   std::int64_t rows, std::int64_t width) {
  launch("embedding_sum", sum_entries, blocks_for(rows * width), threads_per_block, 0, stream, tables, index,
         y, width, rows * width);
}

void embedding_backward(Stream stream, const float* dy, const std::int32_t* index, int tables, int column,
                        float* dtable, bool accumulate, std::int64_t rows, std::int64_t width,
                        std::int64_t entries) {
  launch("embedding_backward", gather_gradient, dim3(static_cast<unsigned>(entries), ceil_divide(width, 128)),
         128, 0, stream, dy, index, tables, column, dtable, accumulate, rows, width);
}

void assemble(Stream stream, const float* source, const TilePiece* pieces, std::int64_t count, float* out) {
  launch("assemble", cut_pieces, dim3(static_cast<unsigned>(count), blocks_per_piece), threads_per_block, 0,
         stream, source, pieces, out);
}

void assemble_backward(Stream stream, const float* dout, const TilePiece* pieces, std::int64_t count,
                       float* dsource) {
  launch("assemble_backward", return_pieces, dim3(static_cast<unsigned>(count), blocks_per_piece),
         threads_per_block, 0, stream, dout, pieces, dsource);
}

}  // namespace adwp::ADWP_GPU::kernels
