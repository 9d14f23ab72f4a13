// The jobs of a search: networks to predict and networks to train, which all ranks share.
#pragma once

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

  // Lets the other ranks begin, while this one does something else.
  void begin() { ledger_.jobs.begin(batch_); }
  // Trains the rest, and takes the outcomes. `show` gets the epochs done here, of all together.
  void join(const std::function<void(double)>& show);

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

// Gives all ranks the weights that rank 0 has trained.
void share_weights(SearchSetup& setup, Ledger& ledger);

// What every rank but rank 0 does in a search.
class SearchHelper {
 public:
  SearchHelper(Backend& backend, const SearchOptions& options);
  std::vector<std::pair<std::string, std::string>> found() const { return setup_.found(); }
  void run(parallel::Group& group);

 private:
  std::string predict(const nas::NetworkPlan& plan);
  std::string train(const Training& training, const std::string& checkpoint, const std::string& known_as);

  SearchOptions options_;
  Progress silence_;
  SearchSetup setup_;
  std::unique_ptr<parallel::Worker> worker_;
};

}  // namespace adwp::apps
