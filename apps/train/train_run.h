// One run of `train`: trains a network from scratch with the full recipe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/common/run_log.h"
#include "apps/train/train_results.h"

namespace adwp::apps {

class TrainRun {
 public:
  TrainRun(Backend& backend, const TrainOptions& options, const RunDirectory& directory);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const { return setup_.found(); }

  // Trains from where an earlier process stopped; reads the test split once, after the last epoch.
  void run();
  std::string summary() const { return summary_of(setup_.options, outcome_, directory_); }

 private:
  void train(nas::NetworkTrainer& trainer, const data::DeviceImages& validation);
  void record(const nas::NetworkTrainer& trainer, std::int64_t epochs);
  nas::Score evaluate_test_split(nas::NetworkTrainer& trainer, const data::ImageSet& test);

  const RunDirectory& directory_;
  RunLog log_;
  TrainSetup setup_;
  TrainOutcome outcome_;
};

}  // namespace adwp::apps
