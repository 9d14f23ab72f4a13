// The HyperNetwork's operators. Small next to its matrix products; what matters is that each is one
// launch for all layers of a network.
#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

struct EmbeddingTables {
  const float* table[EmbeddingSum::most_tables];
  int count;
};

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
  const std::int64_t entry = blockIdx.x, d = block_index_y() * 128 + threadIdx.x;
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

__device__ std::int64_t first_of_part() { return block_index_y() * threads_per_block + threadIdx.x; }
__device__ std::int64_t elements_of(const TilePiece& p) {
  const std::int64_t rows = p.rows;
  return rows * p.taps * p.cols;
}

// Block (piece, part); no two pieces share an element of either side.
__global__ void __launch_bounds__(threads_per_block)
    cut_pieces(const float* source, const TilePiece* pieces, float* out, bool adds) {
  const TilePiece piece = pieces[blockIdx.x];
  for (std::int64_t i = first_of_part(), n = elements_of(piece); i < n;
       i += blocks_per_piece * threads_per_block) {
    const Move move = move_of(piece, i);
    const float cut = piece.scale * source[move.source] + piece.offset;
    out[move.target] = adds ? out[move.target] + cut : cut;
  }
}

__global__ void __launch_bounds__(threads_per_block)
    return_pieces(const float* dout, const TilePiece* pieces, float* dsource) {
  const TilePiece piece = pieces[blockIdx.x];
  for (std::int64_t i = first_of_part(), n = elements_of(piece); i < n;
       i += blocks_per_piece * threads_per_block) {
    const Move move = move_of(piece, i);
    dsource[move.source] += piece.scale * dout[move.target];
  }
}

// The table of pieces as the device has it; specs.h gives its rows their form.
const TilePiece* pieces_of(const Tensor& table) {
  return reinterpret_cast<const TilePiece*>(integers(table));
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const EmbeddingSum& op, void*) {
  EmbeddingTables tables{};
  for (const Tensor& table : op.tables) tables.table[tables.count++] = floats(table);
  const std::int64_t n = op.y.elements();
  launch(op.name, sum_entries, blocks_for(n), threads_per_block, 0, stream(), tables, integers(op.index),
         floats(op.y), op.y.shape()[1], n);
}

void GpuBackend::compute(const EmbeddingBackward& op, void*) {
  const std::int64_t rows = op.dy.shape()[0], width = op.dy.shape()[1];
  launch(op.name, gather_gradient, {op.dtable.tensor.shape()[0], ceil_divide(width, 128)}, 128, 0, stream(),
         floats(op.dy), integers(op.index), op.index.shape()[1], op.column, floats(op.dtable),
         op.dtable.adds(), rows, width);
}

void GpuBackend::compute(const Assemble& op, void*) {
  launch(op.name, cut_pieces, {op.pieces.shape()[0], blocks_per_piece}, threads_per_block, 0, stream(),
         floats(op.source), pieces_of(op.pieces), floats(op.out), op.out.adds());
}

void GpuBackend::compute(const AssembleBackward& op, void*) {
  if (!op.dsource.adds()) op.dsource.tensor.zero();
  launch(op.name, return_pieces, {op.pieces.shape()[0], blocks_per_piece}, threads_per_block, 0, stream(),
         floats(op.dout), pieces_of(op.pieces), floats(op.dsource));
}

}  // namespace adwp::ADWP_GPU
