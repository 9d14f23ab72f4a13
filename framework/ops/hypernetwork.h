// The HyperNetwork's differentiable operators: addressing tiles by embeddings, and cutting kernels
// out of tiles.
#pragma once

#include <span>
#include <vector>

#include "framework/autograd/tape.h"

namespace adwp::ops {

// y[i] = sum_t table_t[index[i, t]]: up to three tables (V_t, D), index i32 (M, tables) -> (M, D).
Variable embedding_sum(Tape& tape, std::span<const Variable> tables, const Tensor& index);

// Kernels, scales and shifts cut out of one or more tables of tiles into one flat result.
// sources[t] has its own pieces[t], i32 (n, 12), rows of TilePiece; no two pieces of any table share
// an element of the result, and together they fill it.
Variable assemble(Tape& tape, std::span<const Variable> sources, std::span<const Tensor> pieces,
                  std::int64_t elements);

}  // namespace adwp::ops
