// The jobs of a search: networks to predict and networks to train, which all ranks share. (HyperNetworks:
// hyper_jobs.h.)
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "apps/common/ranks.h"
#include "apps/search/setup.h"

namespace adwp::apps {

// A network to train from scratch, and how.
struct Training {
  nas::NetworkPlan plan;
  int epochs = 0;
  std::uint64_t seed = 0;
  std::int64_t number = 0;  // of its phase's trainings: names its checkpoint
};

// Where its checkpoint lies in a folder.
std::filesystem::path checkpoint_of(const std::filesystem::path& folder, const Training& training);

// Trains a network from scratch, or goes on from its checkpoint. Calls `spend` before each checkpoint, `show`
// after each batch with the epochs done, and `saved` after each checkpoint, of which the last epoch has none.
nas::Trained train_one(SearchSetup& setup, RunLog& log, const std::filesystem::path& checkpoint,
                       const Training& training, const std::function<void()>& spend,
                       const std::function<void(double)>& show,
                       const std::function<void(std::int64_t)>& saved);

// The score of each network with predicted weights, in order. `show` gets the fraction that is done.
std::vector<nas::Score> predict(SearchSetup& setup, Ledger& ledger, std::span<const nas::NetworkPlan> plans,
                                const std::function<void(double)>& show);

// Trainings that all ranks share. `done` gets each outcome, in order; its checkpoint is gone when that has
// returned.
class Trainings {
 public:
  using Done = std::function<void(std::size_t, const nas::Trained&)>;
  Trainings(SearchSetup& setup, Ledger& ledger, nas::Phase phase, std::vector<Training> trainings, Done done);
  Trainings(const Trainings&) = delete;
  Trainings& operator=(const Trainings&) = delete;

  const parallel::Jobs::Batch& batch() const { return batch_; }
  // Who is told of the epochs done, of all together.
  void show_with(std::function<void(double)> show) { show_ = std::move(show); }

 private:
  void note(std::size_t i, const std::string& bytes);
  std::string work(std::size_t i) const;
  std::string here(std::size_t i);
  void finish(std::size_t i, const std::string& result);
  void show(std::size_t i, double epochs);
  std::filesystem::path folder() const;

  SearchSetup& setup_;
  Ledger& ledger_;
  nas::Phase phase_;
  std::vector<Training> trainings_;
  Done done_;
  std::function<void(double)> show_;
  std::vector<double> epochs_;  // done of each
  parallel::Jobs::Batch batch_;
};

}  // namespace adwp::apps
