// Weights that are parameters themselves: shared by all networks of a space, or of one network.
#pragma once

#include <map>
#include <string>

#include "nas/space/search_space.h"
#include "nas/weights/weight_source.h"

namespace adwp::nas {

// The plain supernet, for comparison: one largest kernel per position, sliced to each network.
//
// A position is (stage, block, operation, role). This is weight sharing as in SPOS and its kin; the
// HyperNetwork has to beat it (docs/results).

class SharedWeights : public WeightSource {
 public:
  SharedWeights(Arena& arena, const SearchSpace& space, const Task& task, std::uint64_t seed);

  NetworkWeights weights(Tape& tape, const NetworkPlan& plan) override;
  nn::ParameterStore& parameters() override { return store_; }

 private:
  struct Position {
    Shape kernel;             // the largest at this position
    std::int64_t second = 0;  // where channels of a concatenation's second part begin
    bool norm = true;
    int kernel_number = 0, scale_number = -1, shift_number = 0;
  };

  void register_positions(const SearchSpace& space, const Task& task);

  nn::ParameterStore store_;
  std::map<std::string, Position> positions_;
  std::int64_t classifier_inputs_ = 0;  // the largest
  int classifier_ = 0, classifier_bias_ = 0;
};

// Weights of one network as parameters of their own: what training from scratch trains.
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
