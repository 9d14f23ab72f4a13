// What the settings of every run have in common: data, place, device, seed.
#pragma once

#include <cstdint>
#include <string>

#include "apps/common/settings.h"

namespace adwp::apps {

struct RunOptions {
  std::string data, out, device = "auto", precision = "f32", engine = "hand";
  std::uint64_t seed = 0;
  std::int64_t batch = 64, evaluation_batch = 500, arena_mb = 0, threads = 0;
  double validation = 0;
  bool tensorboard = false, resume = false, quiet = false;
};

// Declares them, but for the batches, which belong to a program's own groups. `least_validation`: of the
// fraction that is held out.
void declare_run(Settings& settings, RunOptions& options, double least_validation);

}  // namespace adwp::apps
