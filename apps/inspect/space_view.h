// A search space: how many architectures it holds, its extremes, and a random sample.
#pragma once

#include <string>
#include <vector>

#include "nas/space/network_plan.h"
#include "nas/space/search_space.h"

namespace adwp::apps {

class SpaceView {
 public:
  // `sample` architectures, uniform, from `seed`.
  SpaceView(const nas::SearchSpace& space, const nas::Task& task, std::int64_t sample, std::uint64_t seed);

  std::string text() const;
  // {"name", "size", "smallest", "largest", "sample": []}; an architecture is {"id", "params", "macs",
  // "activation_bytes", "architecture"}.
  std::string json() const;

 private:
  std::string name_;
  double size_ = 0;
  nas::NetworkPlan smallest_, largest_;
  std::vector<nas::NetworkPlan> sample_;
};

}  // namespace adwp::apps
