// The macro-network: the layers of a plan, computed with the weights of a source.
#pragma once

#include <vector>

#include "framework/autograd/tape.h"
#include "framework/ops/ops.h"
#include "nas/weights/weight_source.h"

namespace adwp::nas {

// Which statistics batch norm uses.
struct NormMode {
  // Evaluate with these, one entry per layer of the plan (empty tensors where there is no norm);
  // nullptr: with the statistics of the batch at hand.
  const std::vector<ops::BatchStatistics>* given = nullptr;
  // Where to leave the statistics of the batch, likewise per layer; nullptr: nowhere.
  std::vector<ops::BatchStatistics>* collect = nullptr;
};

// images (N, H, W, C), normalised -> logits (N, classes). Values are let go after their last use;
// when the tape records, it keeps what backward needs.
Variable forward(Tape& tape, const NetworkPlan& plan, const NetworkWeights& weights, const Tensor& images,
                 const NormMode& norm = {});

}  // namespace adwp::nas
