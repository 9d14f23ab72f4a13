// The test split. Included by programs that report a final result and by nobody who chooses:
// tests/house/check_arrows.sh holds that `search` and nas/ never see this header.
#pragma once

#include "data/data_set.h"

namespace adwp::data {

struct TestData {
  ImageSet images;  // of the training images' size; labels count the training data's classes
  Inventory inventory;
  std::vector<std::string> missing;  // classes of the training data that have no test image
  std::int64_t duplicates = 0;       // images that equal one of the training data (both its parts)
};

// False for a folder without one; the other kinds come with theirs.
bool has_test_split(const DataSpec& spec);

// Reads and decodes the whole test split. To be asked before hours of training, so that a file that is
// damaged or a class that is unknown is named then; its figures are for the end. Throws an Error that names
// them.
TestData load_test_split(const DataSpec& spec, const TrainingData& training, const Reading& reading = {});

// As of the training data: what was left out, classes without images, copies of training images.
std::vector<std::string> notes_on(const TestData& test, std::int64_t classes);

}  // namespace adwp::data
