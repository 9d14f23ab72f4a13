// The test split. Included by programs that report a final result and by nobody who chooses:
// tests/house/check_arrows.sh holds that `search` and nas/ never see this header.
#pragma once

#include "data/data_set.h"

namespace adwp::data {

// `classes` as the training data had them; a test set with others is an error.
ImageSet load_test_split(const DataSpec& spec, const std::vector<std::string>& classes);

// Throws Error when the files of the test split are missing; reads none of them. To be asked before
// hours of training.
void require_test_split(const DataSpec& spec);

}  // namespace adwp::data
