// A second classifier in the midst of a network, which only training has (Szegedy et al., 2015; as DARTS and
// NASNet have it: behind two thirds of the depth): early layers get gradients by a short way.
#pragma once

#include "nas/network/macro_network.h"

namespace adwp::nas {

struct AuxiliaryHead {
  int value = 0;  // of the plan's: what the block at two thirds of all blocks, rounded up, leaves
  LayerSpec
      layer;  // on it: 3 x 3 with stride 2 to 128 channels, norm and activation; then pool and classifier
};
AuxiliaryHead auxiliary_head(const NetworkPlan& plan);

// Logits (N, classes) on the head's value, with the statistics of the batch.
Variable auxiliary_logits(Tape& tape, const AuxiliaryHead& head, const AuxiliaryWeights& weights,
                          const Variable& value);

}  // namespace adwp::nas
