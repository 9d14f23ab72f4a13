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

struct EmbeddingGradients {
  float* table[EmbeddingSum::most_tables];
  bool adds[EmbeddingSum::most_tables];
  std::int64_t first[EmbeddingSum::most_tables];  // entry of each table; past the last where there is none
};

// A block makes 32 V numbers of one entry: its warps go down the entry's row list side by side, each lane
// with V of the numbers and four rows on the way, and what they leave is added in their order.
constexpr int gather_warps = 16;

template <int V>
__global__ void __launch_bounds__(32 * gather_warps)
    gather_gradient(EmbeddingGradients to, const float* dy, const std::int32_t* begins, std::int64_t entries,
                    std::int64_t width) {
  constexpr int at_once = 4;
  SHARED(float, sums, [gather_warps][32 * V]);
  const std::int64_t entry = block_index(), first = block_index_y() * 32 * V;
  const int lane = thread_index() % 32, warp = thread_index() / 32;
  const std::int32_t* rows = begins + entries + 1;
  float sum[V] = {};
  if (first + lane * V < width) {
    const int end = begins[entry + 1];
    for (int at = begins[entry] + warp; at < end; at += at_once * gather_warps) {
      float values[at_once][V] = {};
      UNROLL for (int i = 0; i < at_once; ++i) {
        const int own = at + i * gather_warps;
        if (own < end) load(values[i], dy + rows[own] * width + first + lane * V);
      }
      UNROLL for (int i = 0; i < at_once; ++i) { UNROLL for (int v = 0; v < V; ++v) sum[v] += values[i][v]; }
    }
  }
  store(&sums[warp][lane * V], sum);
  __syncthreads();
  const std::int64_t column = first + thread_index();
  if (thread_index() >= 32 * V || column >= width) return;
  float total = 0;
  UNROLL for (int other = 0; other < gather_warps; ++other) total += sums[other][thread_index()];
  UNROLL for (int t = 0; t < int(EmbeddingSum::most_tables); ++t) {
    const bool is_last = t + 1 == int(EmbeddingSum::most_tables);
    if (entry < to.first[t] || (!is_last && entry >= to.first[t + 1])) continue;
    put(to.table[t][(entry - to.first[t]) * width + column], total, to.adds[t]);
  }
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
  const std::int64_t width = op.dy.shape()[1], entries = op.entries();
  EmbeddingGradients to{};
  std::int64_t first = 0;
  for (std::size_t t = 0; t < EmbeddingSum::most_tables; ++t) {
    to.first[t] = first;
    if (t >= op.dtables.size()) continue;
    to.table[t] = floats(op.dtables[t]);
    to.adds[t] = op.dtables[t].adds();
    first += op.dtables[t].tensor.shape()[0];
  }
  const float* dy = floats(op.dy);
  dispatch_width(
      width,
      [&]<int V>() {
        launch(op.name, gather_gradient<V>, {entries, ceil_divide(width, 32 * V)}, 32 * gather_warps, 0,
               stream(), to, dy, integers(op.rows), entries, width);
      },
      dy);
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
