// What lies in a data set's place: for people, before they train.
#pragma once

#include <string>
#include <vector>

#include "data/data_set.h"

namespace adwp::data {

struct SplitSurvey {
  std::string split;  // "training" or "test"
  Inventory inventory;
  std::int64_t duplicates = 0;   // images that equal an earlier one of the split in every pixel
  std::int64_t in_training = 0;  // of the test split: images that equal one of the training split
};

// Reads every image of both splits, leaves out what cannot be decoded, and tells what it met. The limit of
// the spec does not count. The test split may be missing. Throws an Error where there is no data set at all.
std::vector<SplitSurvey> survey(DataSpec spec);

}  // namespace adwp::data
