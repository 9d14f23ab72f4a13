// One run of `search`. search_run.cpp sets it up, search_phases.cpp holds its phases, search_results.cpp
// what it leaves.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/event_file.h"
#include "apps/common/json_log.h"
#include "apps/common/progress.h"
#include "apps/common/run_directory.h"
#include "apps/search/options.h"
#include "data/loader.h"
#include "nas/evaluation/evaluator.h"
#include "nas/evaluation/latency.h"
#include "nas/score/rank_agreement.h"
#include "nas/search/search.h"
#include "nas/store/run_store.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/training/network_trainer.h"

namespace adwp::apps {

// A finalist and how far it was trained.
struct Finalist {
  nas::Candidate candidate;
  double trained_accuracy = 0;  // on the validation split
  int epochs = 0;
};

class SearchRun {
 public:
  SearchRun(Backend& backend, const SearchOptions& options, const RunDirectory& directory);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const;

  // All phases, in order, from where an earlier process left off; writes log.jsonl, search.db, checkpoints/,
  // best.json and result.json.
  void run();

  // What a person reads at the end.
  std::string summary() const;

 private:
  using Clock = std::chrono::steady_clock;

  std::unique_ptr<nas::WeightSource> make_source(Arena& arena) const;
  nas::Limits limits() const;
  nas::HyperTrainingOptions hyper_options() const;
  nas::NetworkTrainingOptions network_options(int epochs, std::uint64_t seed) const;
  std::size_t measure_need();

  void train_source();
  void train_rank_sample();
  void evolve();
  void train_finalists();
  void write_results();

  // Trains a network from scratch, with a checkpoint an epoch and when interrupted; its score on the
  // validation split. `progress` is told the epochs done.
  nas::Score train_network(const nas::NetworkPlan& plan, int epochs, std::uint64_t seed, nas::Phase phase,
                           const std::function<void(double)>& progress);

  bool latency_counts() const;  // as an objective
  // Of one image or of an evaluation batch, in microseconds; measured once in a run.
  double latency(const nas::NetworkPlan& plan, std::int64_t batch);
  void take_latencies();       // those of --latencies; throws a usage Error when there are none for this run
  void require_fast_enough();  // throws a usage Error when no network seems to be

  // For TensorBoard, if it is wanted; before what is saved of the same step.
  void show(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars);
  void record_generation(const nas::SearchState& state);  // in store, log, progress and events
  void show_generation(const nas::SearchState& state);
  nas::PhaseCost lap();  // what was spent since the last call
  void stop_if_asked() const;
  void report_damage(const std::string& what);

  Backend& backend_;
  const SearchOptions& options_;
  const RunDirectory& directory_;
  Progress progress_;
  JsonLog log_;
  std::optional<EventFile> events_;

  nas::SearchSpace space_;
  data::TrainingData data_;
  nas::Task task_;

  std::unique_ptr<Arena> arena_;
  data::DeviceImages train_, validation_;
  std::unique_ptr<nas::WeightSource> source_;
  std::unique_ptr<nas::Evaluator> evaluator_;

  std::optional<nas::RunStore> store_;
  nas::Latencies latencies_;           // all that is known
  std::uint64_t given_latencies_ = 0;  // fingerprint of those of --latencies
  Clock::time_point lap_;

  std::vector<nas::Measured> measured_;  // the rank sample
  nas::RankAgreement agreement_;
  nas::SearchState state_;
  std::vector<nas::Candidate> front_;
  std::vector<Finalist> finalists_;  // best first
  nlohmann::ordered_json hyper_facts_, search_facts_;
};

}  // namespace adwp::apps
