// The HyperNetwork's operators: embeddings of tiles, and kernels cut out of tiles. Formulas:
// framework/backend/backend.h; TilePiece: framework/backend/specs.h.
#pragma once

#include "cuda/runtime/stream.h"
#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU::kernels {

struct EmbeddingTables {
  const float* table[3];
  int count;
};
// y (rows, width) = sum over t of table_t[index[row, t]].
void embedding_sum(Stream stream, const EmbeddingTables& tables, const std::int32_t* index, float* y,
                   std::int64_t rows, std::int64_t width);
// dtable (entries, width) from dy (rows, width), where index (rows, tables) names the entry in `column`.
void embedding_backward(Stream stream, const float* dy, const std::int32_t* index, int tables, int column,
                        float* dtable, bool accumulate, std::int64_t rows, std::int64_t width,
                        std::int64_t entries);

void assemble(Stream stream, const float* source, const TilePiece* pieces, std::int64_t count, float* out);
void assemble_backward(Stream stream, const float* dout, const TilePiece* pieces, std::int64_t count,
                       float* dsource);  // adds

}  // namespace adwp::ADWP_GPU::kernels
