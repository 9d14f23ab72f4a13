// Lab 6: what strategy.cpp defines, and what it may use.
#pragma once

#include <cstdint>

#include "nas/evaluation/evaluator.h"
#include "nas/space/search_space.h"

namespace lab {

// A data set that nobody has seen, and a budget.
class Bench {
 public:
  virtual ~Bench() = default;

  const adwp::nas::SearchSpace& space() const { return space_; }
  // For plan_network(architecture, task()): parameters, multiply-accumulates, layers.
  const adwp::nas::Task& task() const { return task_; }
  std::int64_t left() const { return left_; }  // epochs of training that may still be spent

  // Trains the network from scratch for so many epochs and scores it on the validation images: loss and
  // accuracy. Costs that many epochs of the budget; asking for more than is left ends the search without a
  // result.
  virtual adwp::nas::Score train(const adwp::nas::Architecture& architecture, std::int64_t epochs) = 0;

 protected:
  adwp::nas::SearchSpace space_;
  adwp::nas::Task task_;
  std::int64_t left_ = 0;
};

// Chooses an architecture of bench.space(), which is then trained for `final_epochs` and tested. The same
// bench and the same seed give the same architecture.
inline constexpr std::int64_t final_epochs = 8;
adwp::nas::Architecture search(Bench& bench, std::uint64_t seed);

// To look around in, on a data set of its own that no contest uses, with no limit on epochs. Not checked.
void explore(Bench& bench);

}  // namespace lab
