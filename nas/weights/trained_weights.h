// Weights of one network as parameters of their own: what training from scratch trains.
#pragma once

#include "nas/weights/weight_source.h"

namespace adwp::nas {

class TrainedWeights : public WeightSource {
 public:
  // Kernels start as He et al. 2015 have it, scales at 1, shifts and biases at 0.
  TrainedWeights(Arena& arena, const NetworkPlan& plan, std::uint64_t seed);

  // `plan` must be the one given at construction.
  NetworkWeights weights(Tape& tape, const NetworkPlan& plan) override;
  nn::ParameterStore& parameters() override { return store_; }

 private:
  struct Numbers {
    int kernel, scale, shift;  // scale is -1 where there is a bias
  };
  nn::ParameterStore store_;
  std::vector<Numbers> layers_;
  int classifier_ = 0, classifier_bias_ = 0;
};

}  // namespace adwp::nas
