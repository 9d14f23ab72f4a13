// What a training leaves: result.json, test.json, report.html, and what a person reads.
#pragma once

#include <string>

#include "apps/common/run_directory.h"
#include "apps/train/setup.h"

namespace adwp::apps {

struct TrainOutcome {
  double seconds = 0, images_per_second = 0;  // of this process
  double loss = 0;                            // mean of the last epoch
  nas::Score validation, test;
  std::size_t arena_peak = 0;  // over all processes of the run
};

// Writes what the last checkpoint predicts for the test split into test.json.
void write_test_outcome(const TrainSetup& setup, const data::ImageSet& test, const RunDirectory& directory);

// Writes result.json, and the report from all that lies in the directory.
void write_results(const TrainSetup& setup, const TrainOutcome& outcome, const data::ImageSet& test,
                   const RunDirectory& directory);

std::string summary_of(const TrainOptions& options, const TrainOutcome& outcome,
                       const RunDirectory& directory);

}  // namespace adwp::apps
