// One run of `train`: a network from scratch, with the full recipe.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/json_log.h"
#include "apps/common/progress.h"
#include "apps/common/run_directory.h"
#include "apps/common/run_options.h"
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

class TrainRun {
 public:
  TrainRun(Backend& backend, const TrainOptions& options, const RunDirectory& directory);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const;

  // Trains, saving a checkpoint every epoch and when interrupted, from the last one that an earlier process
  // saved; reads the test split once, after the last epoch.
  void run();
  std::string summary() const;

 private:
  nas::NetworkTrainingOptions training_options() const;
  // What the last checkpoint makes of the test split, into test.json.
  void write_test_outcome(const data::ImageSet& test) const;

  Backend& backend_;
  const TrainOptions& options_;
  const RunDirectory& directory_;
  Progress progress_;
  JsonLog log_;
  data::DataSpec spec_;
  data::TrainingData data_;
  nas::NetworkPlan plan_;
  std::unique_ptr<Arena> arena_;
  nlohmann::ordered_json result_;
};

}  // namespace adwp::apps
