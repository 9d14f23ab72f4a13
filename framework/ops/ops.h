// Differentiable operators. Each computes through the tape's backend and records its backward; formulas and
// shapes are those of the operator's struct in framework/backend/operators.h.
#pragma once

#include <span>

#include "framework/autograd/tape.h"

namespace adwp::ops {

// --- networks ----------------------------------------------------------------------------------------------

// x (N, H, W, C), w (K, R, R, C / groups) -> (N, P, Q, K).
Variable conv2d(Tape& tape, const Conv2d& conv, const Variable& x, const Variable& w);

// Batch norm over the rows of x with batch statistics, then `act`. scale, shift: (C). The statistics go to
// `statistics` where it has tensors; where it is empty, it gets new ones.
struct BatchStatistics {
  Tensor mean, var;  // (C) each; var is biased
};
inline constexpr float batch_norm_epsilon = 1e-5f;
Variable batch_norm(Tape& tape, const Variable& x, const Variable& scale, const Variable& shift,
                    Activation act, BatchStatistics* statistics = nullptr);
// batch_norm of conv2d, in one where the device can.
Variable conv2d_batch_norm(Tape& tape, const Conv2d& conv, const Variable& x, const Variable& w,
                           const Variable& scale, const Variable& shift, Activation act,
                           BatchStatistics* statistics = nullptr);
// Convolutions in a row with batch norm of given statistics, then + residual (empty: none); for evaluation,
// records nothing.
Variable conv2d_chain(Tape& tape, std::span<const ConvChain::Layer> layers, const Variable& x,
                      const Variable& residual = {});

// Rows of x (M, N) to mean 0 and deviation 1, then `act`.
inline constexpr float layer_norm_epsilon = 1e-5f;
Variable layer_norm(Tape& tape, const Variable& x, Activation act);

// act(x w^T + bias): x (M, K), w (N, K), bias (N) or empty -> (M, N). batch_invariant: as Gemm has it.
Variable linear(Tape& tape, const Variable& x, const Variable& w, const Variable& bias,
                Activation act = Activation::none, bool batch_invariant = false);

Variable activation(Tape& tape, Activation act, const Variable& x);
Variable add(Tape& tape, const Variable& a, const Variable& b);
Variable concat(Tape& tape, const Variable& a, const Variable& b);         // channels
Variable channel_scale(Tape& tape, const Variable& x, const Variable& s);  // s (N, 1, 1, C)
Variable global_pool(Tape& tape, const Variable& x);                       // (N, H, W, C) -> (N, 1, 1, C)

// Mean loss of a classifier: logits (N, classes) -> (1).
Variable cross_entropy(Tape& tape, const Variable& logits, const ClassTargets& targets);
// Without mixing or teacher; labels i32 (N).
inline Variable cross_entropy(Tape& tape, const Variable& logits, const Tensor& labels, float smoothing) {
  return cross_entropy(tape, logits, {.labels = labels, .smoothing = smoothing});
}

// --- the HyperNetwork: tiles addressed by embeddings, kernels cut out of tiles
// -------------------------------

// y[i] = sum_t table_t[index[i, t]]: up to three tables (V_t, D), index (M, tables) -> (M, D). The index goes
// to the device, and with it, where the tape records, the row lists of the backward.
Variable embedding_sum(Tape& tape, std::span<const Variable> tables, std::span<const std::int32_t> index);

// Kernels, scales and shifts, cut out of one or more tables of tiles into one flat result (elements).
struct Part {
  Variable source;
  Tensor pieces;  // i32 (n, 12), rows of TilePiece; no two share an element of the result
  GradMode mode = GradMode::overwrite;
};
// Those parts that overwrite fill the result together, and no two of them share an element; those that add to
// it come after.
Variable assemble(Tape& tape, std::span<const Part> parts, std::int64_t elements);

}  // namespace adwp::ops
