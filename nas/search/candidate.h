// A network under consideration.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nas/space/architecture.h"

namespace adwp::nas {

struct Candidate {
  Architecture architecture;
  std::uint64_t hash = 0;
  std::int64_t params = 0, macs = 0;
  std::optional<double> latency_us, latency_batch_us;  // of one image, of an evaluation batch; if measured
  double predicted_loss = 0, predicted_accuracy = 0;
  double score = 0;  // what the search maximises
  int generation = 0;
  std::vector<std::uint64_t> parents;  // hashes; none for a sampled one
};

}  // namespace adwp::nas
