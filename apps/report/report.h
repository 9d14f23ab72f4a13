// report.html of a run, and test.json, which it shows.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/data_set.h"

namespace adwp::apps {

// test.json: what a trained network made of the test split. Written by `train`, shown by its report.

// From logits (images, classes), row by row:
//   classes    their names
//   confusion  [true class, predicted class, images] where there are any
//   mistakes   the `most_mistakes` that the network was surest of, surest first: {true, predicted,
//   probability,
//              picture}, the picture as PNG in base64, no larger than 64 x 64
nlohmann::ordered_json test_outcome(const data::ImageSet& images, std::span<const float> logits,
                                    const std::vector<std::string>& classes, std::size_t most_mistakes = 24);

std::string base64(std::span<const unsigned char> bytes);

// report.html: a run for people, as one file that needs no network.
//
// It is made only from the run's directory: so it shows the whole story of a run that was resumed, and of an
// unfinished run what there is. docs/report.md says what stands in it.

// The page of a run of `search` or `train`. Throws a usage Error when `run` is the directory of neither.
std::string report_of(const std::filesystem::path& run);

// Writes it to report.html in that directory, whole or not at all; where it lies now.
std::filesystem::path write_report(const std::filesystem::path& run);

// The page: its frame, style and scripts from apps/report/page, and the data they show. `kind`, search or
// train, chooses body and script. NaN and Inf become null, bytes that are not UTF-8 the replacement
// character.
std::string page_of(std::string_view kind, const nlohmann::ordered_json& data);

// JSON as it may stand inside <script>: without '<', so it cannot end the element.
std::string script_json(const nlohmann::ordered_json& data);

// The files of apps/report/page and Chart.js, which embed.cmake puts into this binary.
struct PageFile {
  std::string_view name, text;
};
const std::vector<PageFile>& page_files();

}  // namespace adwp::apps
