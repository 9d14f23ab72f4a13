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

// A network to train, and how. Where it goes on from an earlier training, that one's checkpoint is taken;
// were it lost, it would be trained again from scratch, to the same bits.
struct Training {
  nas::NetworkPlan plan;
  std::vector<std::int64_t> schedule;  // epochs at the ends of its cosines (Extent::schedule)
  int epochs = 0;                      // one of these, until which it is trained now
  std::uint64_t seed = 0;

  std::vector<std::int64_t> restarts() const;  // those before `epochs`
  std::int64_t from() const;                   // the last of them; 0: it starts anew
  bool may_go_on() const { return epochs < schedule.back(); }
};

// Where its checkpoint lies in a folder.
std::filesystem::path checkpoint_of(const std::filesystem::path& folder, const Training& training);

// Trains a network from scratch, or goes on from its checkpoint. Calls `spend` before each checkpoint, `show`
// after each batch with the epochs done, and `saved` after each checkpoint, of which the last epoch has one
// only if the training may go on.
nas::Trained train_one(SearchSetup& setup, RunLog& log, const std::filesystem::path& checkpoint,
                       const Training& training, const std::function<void()>& spend,
                       const std::function<void(double)>& show,
                       const std::function<void(std::int64_t)>& saved);

// The score of each network with predicted weights, in order. `show` gets the fraction that is done.
std::vector<nas::Score> predict(SearchSetup& setup, Ledger& ledger, std::span<const nas::NetworkPlan> plans,
                                const std::function<void(double)>& show);

// Trainings that all ranks share. `done` gets each outcome, in order; its checkpoint is gone when that has
// returned, unless the training may go on and is among the best `further` of these.
class Trainings {
 public:
  using Done = std::function<void(std::size_t, const nas::Trained&)>;
  Trainings(SearchSetup& setup, Ledger& ledger, nas::Phase phase, std::vector<Training> trainings,
            std::size_t further, Done done);
  Trainings(const Trainings&) = delete;
  Trainings& operator=(const Trainings&) = delete;

  const parallel::Jobs::Batch& batch() const { return batch_; }
  // Who is told of the epochs done here, of all together.
  void show_with(std::function<void(double)> show) { show_ = std::move(show); }

 private:
  void note(std::size_t i, const std::string& bytes);
  std::string work(std::size_t i) const;
  std::string here(std::size_t i);
  void finish(std::size_t i, const std::string& result);
  void show(std::size_t i, double epochs);
  void keep_if_best(std::size_t i, const nas::Trained& trained);
  std::filesystem::path checkpoint(std::size_t i) const;

  SearchSetup& setup_;
  Ledger& ledger_;
  nas::Phase phase_;
  std::vector<Training> trainings_;
  std::size_t further_;
  std::vector<std::pair<double, std::size_t>>
      best_;  // losses and numbers of those that may go on, best first
  Done done_;
  std::function<void(double)> show_;
  std::vector<double> epochs_;  // of each, done here
  parallel::Jobs::Batch batch_;
};

// Discards the checkpoints of trainings that could still have gone on.
void discard_trainings(const RunDirectory& directory);

}  // namespace adwp::apps
