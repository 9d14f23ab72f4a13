// Where a macro-network gets its weights from: predicted by the HyperNetwork, sliced from shared
// weights, or trained. The code that assembles the network is the same for all three.
#pragma once

#include <vector>

#include "framework/autograd/tape.h"
#include "framework/nn/parameter_store.h"
#include "nas/space/network_plan.h"

namespace adwp::nas {

struct LayerWeights {
  Variable kernel;  // (out, k, k, in / groups)
  Variable scale;   // (out); empty for a layer with a bias instead of a norm
  Variable shift;   // (out); or the bias
};

struct NetworkWeights {
  std::vector<LayerWeights> layers;  // in the plan's order
  Variable classifier;               // (classes, inputs)
  Variable classifier_bias;          // (classes)
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // The weights of one network, for the duration of the tape's frame. Gradients flow into
  // `parameters()` when the tape records.
  virtual NetworkWeights weights(Tape& tape, const NetworkPlan& plan) = 0;

  virtual nn::ParameterStore& parameters() = 0;
  const nn::ParameterStore& parameters() const { return const_cast<WeightSource*>(this)->parameters(); }
};

}  // namespace adwp::nas
