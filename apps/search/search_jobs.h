// The jobs of a search: networks to predict and networks to train, which all ranks share.
#pragma once

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

  // Lets the other ranks begin, while this one does something else.
  void begin() { ledger_.jobs.begin(batch_); }
  // Trains the rest, and takes the outcomes. `show` gets the epochs done, of all together.
  void join(const std::function<void(double)>& show);

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
