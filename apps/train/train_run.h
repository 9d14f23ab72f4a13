// One run of `train`: its settings, its setup, and what it leaves.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/run.h"
#include "apps/common/run_directory.h"
#include "apps/common/run_log.h"
#include "apps/train/recipe.h"
#include "data/loader.h"
#include "data/test_split.h"
#include "nas/training/network_trainer.h"

namespace adwp::apps {

struct TrainOptions : RunOptions {
  TrainOptions() { validation = 0.02; }

  std::string architecture, teacher;
  RecipeOptions recipe;
  std::int64_t micro_batches = 1;

  void require_valid() const {
    RunOptions::require_valid();
    recipe.stages();
  }
};
void declare(Settings& settings, TrainOptions& options);

class TrainSetup {
 public:
  // Throws a usage Error when the options do not fit the data or the device. `progress` gets a line with
  // what was set up.
  TrainSetup(Backend& backend, const TrainOptions& options, Progress& progress);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const;
  nas::NetworkTrainingOptions training() const;

  Backend& backend;
  const TrainOptions& options;
  data::DataSpec spec;
  data::TrainingData data;
  data::TestData test;  // no figure of it is used before the last epoch
  nas::NetworkPlan plan;
  std::shared_ptr<const nas::StoredNetwork> teacher;  // none without --teacher
  std::unique_ptr<Arena> arena;                       // for the training; the test split has one of its own

 private:
  void lay_out(Arena& counting) const;
  void open_teacher();

  std::string teacher_checksum_;
};

// What a training leaves: result.json, test.json, report.html, and what a person reads.

struct TrainOutcome {
  double seconds = 0, images_per_second = 0;  // of this process
  double loss = 0;                            // mean of the last epoch
  // Of the network that is kept, and, where its weights are averages, of the raw ones too.
  nas::Score validation, test;
  std::optional<nas::Score> raw_validation, raw_test;
  std::optional<double>
      flipped_test;                // accuracy with the mirrors of images (--test-flip), beside that without
  std::size_t arena_peak = 0;      // over all processes of the run
  std::vector<std::string> hosts;  // of the ranks
};

// Writes what the last checkpoint predicts for the test split into test.json. Returns the accuracy of
// predictions that average each image and its mirror, where the recipe asks for it.
std::optional<double> write_test_outcome(const TrainSetup& setup, const data::ImageSet& test,
                                         const RunDirectory& directory);

// Writes result.json, and the report from all that lies in the directory.
void write_results(const TrainSetup& setup, const TrainOutcome& outcome, const data::ImageSet& test,
                   const RunDirectory& directory);

std::string summary_of(const TrainOptions& options, const TrainOutcome& outcome,
                       const RunDirectory& directory);

// What every rank but rank 0 does in a training: its micro-batches.
class TrainHelper {
 public:
  TrainHelper(Backend& backend, const TrainOptions& options)
      : silence_(true), setup_(backend, options, silence_) {}
  std::vector<std::pair<std::string, std::string>> found() const { return setup_.found(); }
  void run(parallel::Group& group);

 private:
  Progress silence_;
  TrainSetup setup_;
};

// Where a training goes on.
struct Start {
  std::int64_t epochs = 0, batches = 0;  // done
};
// Collective: gives all ranks rank 0's weights, moments and running statistics; returns rank 0's `start`.
Start share_start(parallel::Group& group, nas::NetworkTrainer& trainer, const Start& start);

// Trains a network from scratch with the full recipe.
class TrainRun {
 public:
  using Helper = TrainHelper;
  TrainRun(Backend& backend, const TrainOptions& options, const RunDirectory& directory);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const { return setup_.found(); }

  // Trains from where an earlier process stopped; evaluates the test split once, after the last epoch.
  void run(parallel::Group& group);
  std::string summary() const { return summary_of(setup_.options, outcome_, directory_); }

 private:
  void lead(parallel::Group& group);
  void train(parallel::Group& group, nas::NetworkTrainer& trainer, const data::DeviceImages& validation);
  void record(const nas::NetworkTrainer& trainer, std::int64_t epochs);
  void evaluate_validation(nas::NetworkTrainer& trainer, const data::DeviceImages& validation);
  void evaluate_test_split(nas::NetworkTrainer& trainer, const data::ImageSet& test);

  const RunDirectory& directory_;
  RunLog log_;
  TrainSetup setup_;
  TrainOutcome outcome_;
};

}  // namespace adwp::apps
