// The HyperNetwork's operators: embeddings of tiles, and kernels cut out of tiles.
#include <algorithm>
#include <cstring>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {
namespace {

TilePiece piece_at(const Tensor& pieces, std::int64_t index) {
  TilePiece piece;
  std::memcpy(&piece, pieces.data<std::int32_t>() + index * pieces.shape()[1], sizeof(piece));
  return piece;
}

// body(source element, target element) for runs of `count` elements side by side in both.
template <typename Body>
void for_runs(const TilePiece& p, Body&& body) {
  for (std::int64_t row = 0; row < p.rows; ++row) {
    const std::int64_t tile_row = row / p.tile_rows, inner = row % p.tile_rows;
    for (std::int64_t tap = 0; tap < p.taps; ++tap) {
      const std::int64_t target = p.target + (row * p.taps + tap) * p.target_cols;
      for (std::int64_t col = 0; col < p.cols; col += p.tile_cols) {
        const std::int64_t tile = tile_row * p.tiles_across + col / p.tile_cols;
        const std::int64_t source = p.source + tile * p.pitch + (inner * p.taps + tap) * p.tile_cols;
        body(source, target + col, std::min<std::int64_t>(p.tile_cols, p.cols - col));
      }
    }
  }
}

}  // namespace

void CpuBackend::compute(const EmbeddingSum& op, void*) {
  const std::int64_t rows = op.y.shape()[0], width = op.y.shape()[1], count = op.index.shape()[1];
  const std::int32_t* places = op.index.data<std::int32_t>();
  float* out = op.y.data<float>();
  parallel_for(rows, grain_for(width * count), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float* target = out + i * width;
      for (std::int64_t t = 0; t < count; ++t) {
        const float* entry = op.tables[std::size_t(t)].data<float>() + places[i * count + t] * width;
        if (t == 0) {
          std::copy_n(entry, width, target);
        } else {
          for (std::int64_t d = 0; d < width; ++d) target[d] += entry[d];
        }
      }
    }
  });
}

void CpuBackend::compute(const EmbeddingBackward& op, void*) {
  constexpr std::int64_t most_columns = 32;  // of an entry's sum that a thread makes in one
  const std::int64_t width = op.dy.shape()[1], parts = (width + most_columns - 1) / most_columns;
  const std::int32_t *begins = op.rows.data<std::int32_t>(), *lists = begins + op.entries() + 1;
  const float* gradient = op.dy.data<float>();
  for (const Target& dtable : op.dtables) {
    const std::int64_t entries = dtable.tensor.shape()[0];
    float* out = dtable.tensor.data<float>();
    if (!dtable.adds()) dtable.tensor.zero();
    const std::int64_t mean_list = op.dy.shape()[0] / std::max<std::int64_t>(entries, 1);
    parallel_for(entries * parts, grain_for(most_columns * mean_list),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t item = begin; item < end; ++item) {
                     const std::int64_t entry = item / parts, first = item % parts * most_columns;
                     const std::int64_t columns = std::min(most_columns, width - first);
                     float* target = out + entry * width + first;
                     for (std::int32_t at = begins[entry]; at < begins[entry + 1]; ++at) {
                       const float* row = gradient + lists[at] * width + first;
                       for (std::int64_t d = 0; d < columns; ++d) target[d] += row[d];
                     }
                   }
                 });
    begins += entries;
  }
}

void CpuBackend::compute(const Assemble& op, void*) {
  const float* from = op.source.data<float>();
  float* to = op.out.tensor.data<float>();
  const bool adds = op.out.adds();
  parallel_for(op.pieces.shape()[0], 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const TilePiece piece = piece_at(op.pieces, i);
      for_runs(piece, [&](std::int64_t a, std::int64_t b, std::int64_t count) {
        for (std::int64_t j = 0; j < count; ++j) {
          const float cut = piece.scale * from[a + j] + piece.offset;
          to[b + j] = adds ? to[b + j] + cut : cut;
        }
      });
    }
  });
}

void CpuBackend::compute(const AssembleBackward& op, void*) {
  const float* gradient = op.dout.data<float>();
  float* to = op.dsource.tensor.data<float>();
  if (!op.dsource.adds()) op.dsource.tensor.zero();
  parallel_for(op.pieces.shape()[0], 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const TilePiece piece = piece_at(op.pieces, i);
      for_runs(piece, [&](std::int64_t a, std::int64_t b, std::int64_t count) {
        for (std::int64_t j = 0; j < count; ++j) to[a + j] += piece.scale * gradient[b + j];
      });
    }
  });
}

}  // namespace adwp::cpu
