// The architecture encoding: what the HyperNetwork reads.
//
// Two levels: each layer's own code, and the whole network's. Entry by entry in docs/encoding.md.
// The same architecture always gives the same codes; two different architectures of a space never
// give the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nas/space/network_plan.h"
#include "nas/space/search_space.h"

namespace adwp::nas {

struct NetworkCode {
  std::int64_t layer_entries = 0;
  std::vector<float> layers;   // (layers, layer_entries), row-major, in the plan's order
  std::vector<float> network;  // (network_entries)
};

class Encoding {
 public:
  explicit Encoding(const SearchSpace& space);

  std::int64_t layer_entries() const;    // how many numbers a layer's own code has
  std::int64_t network_entries() const;  // and the whole network's
  std::vector<std::string> layer_entry_names() const;
  std::vector<std::string> network_entry_names() const;

  NetworkCode encode(const NetworkPlan& plan) const;

 private:
  SearchSpace space_;
};

}  // namespace adwp::nas
