// What a network's structure says of it by itself: the features of the score's regression.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nas/space/architecture.h"

namespace adwp::nas {

// In order, each a plain number:
//
//   log params, log macs                        of the whole network
//   log width, depth                            of each stage: channels, blocks that are no projections
//   dense, separable, inverted                  blocks of each kind
//   expansion                                   sum over the inverted residual blocks
//   large kernels                               blocks with kernels of 5 or more
//   squeeze-excite, residual, add, concat       blocks that have it
//   head                                        log (1 + channels of the head)
//
// All networks of a space have equally many. params and macs: those of the network's plan.
std::vector<double> structure_features(const Architecture& network, std::int64_t params, std::int64_t macs);
inline constexpr std::size_t log_macs_feature = 1;
std::vector<std::string> structure_feature_names(std::size_t stages);

}  // namespace adwp::nas
