// What a training step leaves out at random: branches of residual blocks (stochastic depth: Huang et al.,
// 2016) and features before the classifier (dropout: Srivastava et al., 2014).
#pragma once

#include "nas/network/macro_network.h"

namespace adwp::nas {

class DropMasks {
 public:
  // Takes the masks of a batch from the arena. Of n residual blocks the i-th (from 1) is left out of an image
  // with the probability path i / n, a feature with the probability `feature`; 0: never.
  DropMasks(Backend& backend, Arena& arena, const NetworkPlan& plan, std::int64_t batch, float path,
            float feature, std::uint64_t seed);

  // Draws those of step `step` of the training, on the device; they depend on it and the seed alone.
  void draw(std::int64_t step);
  const Drops& masks() const { return drops_; }

 private:
  Backend& backend_;
  std::vector<float> keeps_;  // per step of the plan
  float keep_feature_;
  std::uint64_t seed_;
  Drops drops_;
};

}  // namespace adwp::nas
