// Which images train and which validate. Internal to data/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/readers.h"

namespace adwp::data {

// The indices of each class, in an order that the seed decides, cut to the class's share of the limit (0:
// none).
std::vector<std::vector<std::int32_t>> chosen_by_class(const Listing& listing, std::int64_t limit,
                                                       std::uint64_t seed);

struct SplitImages {
  std::vector<std::int32_t> train, validation;
  std::int64_t duplicates = 0;  // images that equal an earlier one
};

// `members`: the images of each class, numbers below hashes.size(), in the order in which they are taken for
// validation. Images of equal hashes stay on one side, whatever their classes; a class of nothing but copies
// so stands on one side. Throws an Error for a class of one image, and when a side would be empty.
SplitImages split_by_class(const std::vector<std::vector<std::int32_t>>& members,
                           const std::vector<std::uint64_t>& hashes, const std::vector<std::string>& classes,
                           std::uint64_t seed, double validation_fraction);

}  // namespace adwp::data
