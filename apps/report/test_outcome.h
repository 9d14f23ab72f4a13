// test.json: what a trained network made of the test split. Written by `train`, shown by its report.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "data/data_set.h"

namespace adwp::apps {

// From logits (images, classes), row by row:
//   classes    their names
//   confusion  [true class, predicted class, images] where there are any
//   mistakes   the `most_mistakes` that the network was surest of, surest first: {true, predicted,
//   probability,
//              picture}, the picture as PNG in base64, no larger than 64 x 64
nlohmann::ordered_json test_outcome(const data::ImageSet& images, std::span<const float> logits,
                                    const std::vector<std::string>& classes, std::size_t most_mistakes = 24);

std::string base64(std::span<const unsigned char> bytes);

}  // namespace adwp::apps
