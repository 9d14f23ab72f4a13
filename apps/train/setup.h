// The settings of `train`, and what it works with.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/run.h"
#include "data/loader.h"
#include "nas/training/network_trainer.h"

namespace adwp::apps {

struct TrainOptions : RunOptions {
  TrainOptions() { validation = 0.02; }

  std::string architecture, recipe = "standard";
  std::int64_t epochs = 20;
  double lr = 0.1;
};
void declare(Settings& settings, TrainOptions& options);

class TrainSetup {
 public:
  // Throws a usage Error when the options do not fit the data or the device. `say` gets one line with what
  // was set up.
  TrainSetup(Backend& backend, const TrainOptions& options,
             const std::function<void(const std::string&)>& say);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const;
  nas::NetworkTrainingOptions training() const;

  Backend& backend;
  const TrainOptions& options;
  data::DataSpec spec;
  data::TrainingData data;
  nas::NetworkPlan plan;
  std::unique_ptr<Arena> arena;  // for the training; the test split has one of its own

 private:
  void lay_out(Arena& counting) const;
};

}  // namespace adwp::apps
