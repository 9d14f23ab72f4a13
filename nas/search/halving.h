// Successive halving (Jamieson & Talwalkar, 2016): train many networks briefly, few for long.
#pragma once

#include <functional>
#include <vector>

namespace adwp::nas {

struct Rung {
  std::size_t networks = 0;
  int epochs = 0;
};

// `halvings` + 1 rungs: the last trains for `epochs`, each one before for about 1 / 2.5 of the next;
// networks shrink by the same factor. 16 networks, 8 epochs, 2 halvings: 16 x 1, 6 x 3, 3 x 8.
std::vector<Rung> halving_schedule(std::size_t networks, int epochs, int halvings);

// Accuracy on the validation split of network `index`, trained from scratch for `epochs`. Each rung
// starts anew: a cosine schedule belongs to its length, and a network stopped at a third of a long
// one has a learning rate far too high to be compared.
using TrainNetwork = std::function<double(std::size_t index, int epochs)>;

struct HalvingResult {
  std::vector<double> accuracy;    // per network, from the last rung it reached
  std::vector<int> epochs;         // and how long that trained it
  std::vector<std::size_t> order;  // best first: by rung reached, then accuracy
};
HalvingResult successive_halving(const std::vector<Rung>& rungs, const TrainNetwork& train);

}  // namespace adwp::nas
