// One largest kernel for each position of a space, with its scale and shift, sliced to each network.
//
// A position is (stage, block, operation, role). This is weight sharing as in SPOS (Guo et al., 2020) and its
// kin. The supernet (parameter_weights.h) consists of these; the HyperNetwork predicts changes of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nas/space/search_space.h"
#include "nas/weights/weight_source.h"

namespace adwp::nas {

class SharedKernels {
 public:
  // Declares the parameters in the store, each name with the prefix; the store is built by its owner. Kernels
  // start as He et al. 2015 have it, all after the stem times `start`; scales at 1, shifts and biases at 0.
  SharedKernels(nn::ParameterStore& store, const SearchSpace& space, const Task& task,
                const std::string& prefix, float start = 1);

  // The pieces that cut all weights of one network, except the classifier's bias, out of the store's flat
  // buffer. Throws when a layer has no position: the network is not of the space.
  std::vector<TilePiece> pieces(const NetworkPlan& plan, const WeightLayout& layout) const;
  // The weights of one network, cut so.
  NetworkWeights weights(Tape& tape, const NetworkPlan& plan) const;
  Variable classifier_bias() const { return store_[classifier_bias_]; }

 private:
  struct Position {
    Shape kernel;             // the largest at this position
    std::int64_t second = 0;  // where channels of a concatenation's second part begin
    bool norm = true, is_stem = false;
    int kernel_number = 0, scale_number = -1, shift_number = 0;
  };

  void register_positions(const SearchSpace& space, const Task& task);
  void cut_layer(const LayerSpec& layer, const Position& position, const WeightLayout::Offsets& to,
                 std::vector<TilePiece>& pieces) const;

  nn::ParameterStore& store_;
  std::map<std::string, Position> positions_;
  std::int64_t classifier_inputs_ = 0;  // the largest
  int classifier_ = 0, classifier_bias_ = 0;
};

}  // namespace adwp::nas
