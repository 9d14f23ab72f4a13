// What a search works with: its settings, the latencies it knows, its setup and its ledger.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/run.h"
#include "apps/common/run_directory.h"
#include "apps/common/run_log.h"
#include "data/loader.h"
#include "framework/parallel/jobs.h"
#include "nas/evaluation/evaluator.h"
#include "nas/space/search_space.h"
#include "nas/store/run_store.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/training/network_trainer.h"

namespace adwp::apps {

// The settings of `search`, and what they mean for its parts.
struct SearchOptions : RunOptions {
  SearchOptions() { validation = 0.1; }

  std::string space = "tiny";

  std::string weights = "predicted";
  std::int64_t hyper_epochs = 10;
  int hyper_width = 128, architectures_per_step = 1;
  double hyper_lr = 3e-3, hyper_growth = 0.5;
  bool fixed_norm = false, layer_code_only = false, shared_kernel = false;
  int hypernetworks = 1;

  std::int64_t score_images = 1000;  // 0: all that are held out
  int rank_sample = 16, rank_epochs = 2;
  bool rank_one_epoch = false;

  std::string strategy = "evolution";
  int population = 52, generations = 9;
  std::int64_t max_params = 0, max_macs = 0;
  bool latency = false;
  double max_latency_us = 0;
  std::string latencies;

  int finalists = 4, refits = 1, finalist_epochs = 3, halvings = 1;
  double finalist_lr = 0.1;

  double budget_epochs = 0, budget_minutes = 0;  // 0: none

  bool latency_counts() const {
    return latency || max_latency_us > 0 || !latencies.empty();
  }  // as an objective
  nas::Limits limits() const;
  // Of member `member` (from 0) of the ensemble of weight sources.
  nas::HyperTrainingOptions hyper_training(const nas::Task& task, std::int64_t epochs, int member) const;
  std::uint64_t source_seed(int member) const { return seed + (static_cast<std::uint64_t>(member) << 32); }
  bool predicts() const { return hyper_epochs > 0; }
  // Of the rank sample and the finalists. All have one seed: whichever phase trains a network first, another
  // can go on from there.
  std::uint64_t training_seed() const { return seed + 1; }
  nas::NetworkTrainingOptions network_training(const nas::Task& task, int epochs, std::uint64_t seed) const;
};

// Declares every option with its group, help and range.
void declare(Settings& settings, SearchOptions& options);

// How much each phase trains.
struct Extent {
  std::int64_t hyper_epochs = 0;
  int rank_sample = 0;           // networks
  std::vector<nas::Rung> rungs;  // of the finalists; none: no finalists

  // Whether the rank sample is trained as the first rung is, so that its networks compete for the later ones.
  bool sample_competes() const { return rank_sample > 0 && rungs.size() > 1; }
  // The epochs of rung `number`, and of those before and after it that go on from each other.
  std::vector<std::int64_t> schedule(std::size_t number) const;
};

// An epoch of the weight source costs as many of a network, for each architecture of a step: 0.9 to 1.8.
inline constexpr double cost_of_weights = 1.5;

// As the options say.
Extent extent_of(const SearchOptions& options);

// Within a budget of `epochs`, trainings of one network for one epoch, on `train` images, scored on
// `validation`. A quarter trains the weight source (an epoch of which costs one and a half for each
// architecture of a step); scoring costs a third of an epoch for as many images, for it only runs forward;
// the rest is cut into rungs of equal cost, whose trainings grow from --rank-epochs to --finalist-epochs and
// go on from each other (nas::go_on). Half of the first rung is the rank sample. 0 for --hyper-epochs or
// --rank-sample leaves that out. Throws a usage Error when a rung cannot hold one training.
Extent extent_within(const SearchOptions& options, double epochs, std::int64_t train,
                     std::int64_t validation);

// The latencies that a search knows: those of an earlier search, those of its own store, and what it
// measures.
class LatencyTable {
 public:
  // Of one device, for square images of that size.
  LatencyTable(std::string device, std::int64_t image_size);

  // Takes those in search.db of an earlier search. Throws a usage Error when there are none for this device
  // and size.
  void take(const std::string& path);
  std::uint64_t fingerprint_of_taken() const { return taken_; }

  // Takes those in the run's store, which win over the others; writes all to it, and each new one when it is
  // measured. The store must live as long as latencies are asked for.
  void keep_in(nas::RunStore& store);

  // The latency on `batch` images, in microseconds; `measure` is called once for each network and batch.
  double of(const nas::NetworkPlan& plan, std::int64_t batch, const std::function<double()>& measure);

 private:
  std::string device_;
  std::int64_t image_size_;
  nas::Latencies known_;
  std::uint64_t taken_ = 0;  // fingerprint
  nas::RunStore* store_ = nullptr;
};

// What all phases of a search work with: the setup, which they read, and the ledger, which they write.

// Space, data and task, and in one arena the images, the weight source and the evaluator.
class SearchSetup {
 public:
  // Throws a usage Error when the options do not fit the space, the data or the device. `progress` gets
  // a line with what was set up. `config`: that of the search to go on with; none when it begins.
  SearchSetup(Backend& backend, const SearchOptions& options,
              const std::optional<std::filesystem::path>& config, Progress& progress);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const;

  Backend& backend;
  const SearchOptions& options;
  nas::SearchSpace space;
  data::TrainingData data;
  nas::Task task;
  double budget = 0;  // epochs; 0: none
  Extent extent;
  std::unique_ptr<LatencyTable> latencies;
  std::unique_ptr<Arena> arena;
  data::DeviceImages train, validation;
  std::vector<std::unique_ptr<nas::WeightSource>> sources;  // --hypernetworks of them
  std::unique_ptr<nas::Evaluator> evaluator;

  // How good the networks are with predicted weights: loss and accuracy are means over the sources. `show`
  // gets the fraction that is done; it may throw to stop there.
  std::vector<nas::Score> predict(std::span<const nas::NetworkPlan> plans,
                                  const std::function<void(double)>& show);

  // The latency of a network on `batch` images, in microseconds; measured once in a run.
  double latency(const nas::NetworkPlan& plan, std::int64_t batch);

 private:
  std::unique_ptr<nas::WeightSource> make_source(Arena& in, int member) const;
  std::unique_ptr<nas::Evaluator> make_evaluator(Arena& in, const data::DeviceImages& images) const;
  void lay_out(Arena& counting) const;
  // Seconds that one epoch of a network takes, measured on a few.
  double seconds_per_epoch(Progress& progress) const;
  void require_fast_enough();
};

// Where the phases write what they did and what it cost.
class Ledger {
 public:
  Ledger(const RunDirectory& directory, RunLog& log, const Arena& arena, parallel::Group& group,
         parallel::Jobs& jobs);

  // What was spent since the last call.
  nas::PhaseCost lap();
  // Takes the peak of another rank's arena: a run has one peak, whoever did its work.
  void note_peak(std::size_t bytes) { peak_elsewhere_ = std::max(peak_elsewhere_, bytes); }

  const RunDirectory& directory;
  RunLog& log;
  parallel::Group& group;
  parallel::Jobs& jobs;
  nas::RunStore store;

 private:
  const Arena& arena_;
  std::size_t peak_elsewhere_ = 0;
  std::chrono::steady_clock::time_point lap_;
};

}  // namespace adwp::apps
