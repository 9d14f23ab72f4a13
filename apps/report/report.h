// report.html: a run for people, as one file that needs no network.
//
// All of it is read from the run's directory, so that a run that was resumed tells its whole story, and one
// that is not finished tells what there is. docs/report.md says what stands in it.
#pragma once

#include <filesystem>
#include <string>

namespace adwp::apps {

// The page of a run of `search` or `train`. Throws a usage Error when `run` is the directory of neither.
std::string report_of(const std::filesystem::path& run);

// Writes it to report.html in that directory, whole or not at all; where it lies now.
std::filesystem::path write_report(const std::filesystem::path& run);

}  // namespace adwp::apps
