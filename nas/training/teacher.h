// A trained network that another one learns from: its logits on the same batch, on the device (distillation:
// Hinton et al., 2015; the same view of an image for both: Beyer et al., 2022).
#pragma once

#include "nas/network/macro_network.h"
#include "nas/network/stored_network.h"
#include "nas/weights/parameter_weights.h"

namespace adwp::nas {

class Teacher {
 public:
  // Takes weights and statistics from the arena. Pupils see images as `norm` has them; where the teacher was
  // trained with another, it gets them back to that. Throws a usage Error unless it takes the task's images
  // and has as many classes.
  Teacher(Arena& arena, const StoredNetwork& network, const Task& task, const PixelNorm& norm);

  // Logits (N, classes) on normalised images (N, H, W, C); made by the tape's backend, in its arena.
  Tensor logits(Tape& tape, const Tensor& images);

 private:
  Tensor renormalised(Tape& tape, const Tensor& images) const;

  NetworkPlan plan_;
  TrainedWeights weights_;
  RunningStatistics statistics_;
  Tensor mean_, variance_, scale_, shift_;  // (C): x scale + shift, as a norm; empty where norms are equal
};

}  // namespace adwp::nas
