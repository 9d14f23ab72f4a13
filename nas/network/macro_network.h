// The macro-network: the layers of a plan, computed with the weights of a source, and the statistics that its
// norms collect in training and use afterwards.
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
  // Where to leave the statistics of the batch, likewise per layer; nullptr: nowhere. Entries that have
  // tensors are written, empty ones get new tensors.
  std::vector<ops::BatchStatistics>* collect = nullptr;
};

// What training leaves out at random: masks (N, 1, 1, C) that values are multiplied by.
struct Drops {
  std::vector<Tensor> paths;  // per step of the plan: of a residual block's branch; empty: it stays
  Tensor features;            // of what the classifier sees; empty: all of it
};

// A value of the plan that is wanted besides the logits; only values that blocks leave in training.
struct Wanted {
  int number = 0;
  Variable value;
};

// images (N, H, W, C), normalised -> logits (N, classes). The images have the task's size, or are smaller
// squares. Values are let go after their last use; when the tape records, it keeps what backward needs.
Variable forward(Tape& tape, const NetworkPlan& plan, const NetworkWeights& weights, const Tensor& images,
                 const NormMode& norm = {}, const Drops& drops = {}, Wanted* wanted = nullptr);

// Running means and variances of all norms of a network, in one flat buffer; variances are biased.
class RunningStatistics {
 public:
  RunningStatistics(Arena& arena, const NetworkPlan& plan);
  // mean 0, variance 1
  void reset();
  // Moves towards a batch's statistics, flat like these: one pass for all layers. `forward` leaves them there
  // when it collects into views(batch).
  void update(Backend& backend, const Tensor& batch, float momentum);
  const std::vector<ops::BatchStatistics>& layers() const { return layers_; }
  // The layers' parts of a buffer like flat(); empty where a layer has no norm.
  std::vector<ops::BatchStatistics> views(const Tensor& flat) const;
  const Tensor& flat() const { return flat_; }

 private:
  std::vector<std::int64_t> channels_;  // of each layer's norm; 0 where it has none
  Tensor flat_;                         // all means, then all variances
  std::vector<ops::BatchStatistics> layers_;
};

}  // namespace adwp::nas
