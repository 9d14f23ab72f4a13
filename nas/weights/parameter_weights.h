// Weights that are parameters themselves: shared by all networks of a space, or of one network.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "nas/weights/shared_kernels.h"

namespace adwp::nas {

// The plain supernet, for comparison: the HyperNetwork has to beat it (docs/results).
class SharedWeights : public WeightSource {
 public:
  SharedWeights(Arena& arena, const SearchSpace& space, const Task& task, std::uint64_t seed)
      : kernels_(store_, space, task, "") {
    store_.build(arena, seed);
  }

  NetworkWeights weights(Tape& tape, const NetworkPlan& plan) override {
    return kernels_.weights(tape, plan);
  }
  nn::ParameterStore& parameters() override { return store_; }

 private:
  nn::ParameterStore store_;
  SharedKernels kernels_;
};

// Weights of one network as parameters of their own: what training from scratch trains.
class TrainedWeights : public WeightSource {
 public:
  // Kernels start as He et al. 2015 have it, scales at 1, shifts and biases at 0. `auxiliary` is the layer of
  // an auxiliary head (nas/network/auxiliary_head.h), whose parameters stand behind the network's.
  TrainedWeights(Arena& arena, const NetworkPlan& plan, std::uint64_t seed,
                 const LayerSpec* auxiliary = nullptr);

  // `plan` must be the one given at construction.
  NetworkWeights weights(Tape& tape, const NetworkPlan& plan) override;
  // The same, of values that stand in another flat buffer like the store's; no gradients.
  NetworkWeights weights_in(const Tensor& values) const;
  // The part of each parameter in such a buffer, by its name.
  std::vector<std::pair<std::string, Tensor>> parts_of(const Tensor& values) const;
  nn::ParameterStore& parameters() override { return store_; }

 private:
  NetworkWeights assembled(const std::function<Variable(int)>& parameter) const;

  struct Numbers {
    int kernel, scale, shift;  // scale is -1 where there is a bias
  };
  struct Classifier {
    int weight = -1, bias = -1;
  };
  Numbers add_layer(const LayerSpec& layer);
  Classifier add_classifier(const std::string& name, std::int64_t classes, std::int64_t inputs);

  nn::ParameterStore store_;
  std::vector<Numbers> layers_;  // of the plan, and of the auxiliary head if there is one
  Classifier classifier_, auxiliary_;
};

}  // namespace adwp::nas
