// All images of a listing, for tests of the readers.
#pragma once

#include <numeric>

#include "data/readers.h"

namespace adwp::test {

struct LabelledImages {
  data::ImageSet images;
  std::vector<std::string> classes;
  data::Inventory inventory;
};

inline LabelledImages read_all(data::Listing listing, std::int64_t size = 0) {
  std::vector<std::int32_t> all(listing.labels.size());
  std::iota(all.begin(), all.end(), 0);
  data::ImageSet images = listing.read(all, size, listing.inventory, {}).images;
  return {std::move(images), std::move(listing.classes), std::move(listing.inventory)};
}

}  // namespace adwp::test
