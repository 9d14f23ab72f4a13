// One run of `search`, phase by phase.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "apps/common/json_log.h"
#include "apps/common/progress.h"
#include "apps/common/run_directory.h"
#include "apps/search/options.h"
#include "data/loader.h"
#include "nas/evaluation/evaluator.h"
#include "nas/report/rank_agreement.h"
#include "nas/search/search.h"
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

  // All phases, in order; writes log.jsonl, checkpoints/, best.json and result.json.
  void run();

  // What a person reads at the end.
  std::string summary() const;

 private:
  std::unique_ptr<nas::WeightSource> make_source(Arena& arena) const;
  nas::Limits limits() const;
  nas::HyperTrainingOptions hyper_options() const;
  nas::NetworkTrainingOptions network_options(int epochs, std::uint64_t seed) const;
  std::size_t measure_need();

  void train_source();
  void train_rank_sample();
  void evolve();
  void train_finalists();
  void write_results(double seconds);

  // Trains a network from scratch; its score on the validation split.
  nas::Score train_network(const nas::NetworkPlan& plan, int epochs, std::uint64_t seed);

  Backend& backend_;
  const SearchOptions& options_;
  const RunDirectory& directory_;
  Progress progress_;
  JsonLog log_;

  nas::SearchSpace space_;
  data::TrainingData data_;
  nas::Task task_;

  std::unique_ptr<Arena> arena_;
  data::DeviceImages train_, validation_;
  std::unique_ptr<nas::WeightSource> source_;
  std::unique_ptr<nas::Evaluator> evaluator_;

  std::vector<nas::Measured> measured_;  // the rank sample
  nas::RankAgreement agreement_;
  nas::SearchState state_;
  std::vector<nas::Candidate> front_;
  std::vector<Finalist> finalists_;  // best first
  nlohmann::ordered_json hyper_facts_, search_facts_;
};

}  // namespace adwp::apps
