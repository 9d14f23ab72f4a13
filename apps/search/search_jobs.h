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

// Trains all. `show` gets the epochs done, of all together; `done` each outcome, in order. An outcome's
// checkpoint is gone when `done` has returned.
void train_networks(SearchSetup& setup, Ledger& ledger, nas::Phase phase,
                    const std::vector<Training>& trainings, const std::function<void(double)>& show,
                    const std::function<void(std::size_t, const nas::Trained&)>& done);

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
