// The HyperNetworks of an ensemble as jobs: each is trained by one rank, whichever that is.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/search/setup.h"
#include "framework/parallel/jobs.h"

namespace adwp::apps {

// What training one member of the ensemble of weight sources came to.
struct Member {
  double loss = 0;                               // of its last epoch
  std::int64_t arena_peak = 0, images_seen = 0;  // of this member alone
};

// What happens at each point of a member's training.
struct MemberHooks {
  std::function<void()> spend;                                          // before each checkpoint
  std::function<void(double epochs, std::optional<double> loss)> show;  // after each batch
  // An epoch is done, and its checkpoint not saved yet; it is saved.
  std::function<void(std::int64_t epochs, double loss)> record, saved;
};

// Trains member `member` of the weight sources for `epochs`, or goes on from its checkpoint.
Member train_member(SearchSetup& setup, RunLog& log, const std::filesystem::path& checkpoint, int member,
                    std::int64_t epochs, const MemberHooks& hooks);

// What a rank that has trained a member sends: what it came to, and its weights.
std::string member_result(const SearchSetup& setup, int member, const Member& trained);
// Takes weights that another rank has trained: bytes, as in member_result().
void take_weights(SearchSetup& setup, int member, const std::string& weights);

// The members as jobs of rank 0. When one is done, all ranks have its weights.
class Members {
 public:
  // `cost` of one, in the unit of the trainings beside it. `done` gets each, in order.
  Members(SearchSetup& setup, Ledger& ledger, double cost, std::function<void(int, const Member&)> done);
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  const parallel::Jobs::Batch& batch() const { return batch_; }

 private:
  std::filesystem::path checkpoint(int member) const;
  std::string here(int member);
  void note(int member, const std::string& bytes);
  void finish(int member, const std::string& result);
  void show(int member, double epochs, std::optional<double> loss);
  void record(int member, std::int64_t epochs, double loss);
  void saved(int member, std::int64_t epochs, double loss);
  double epochs() const;  // done of all

  SearchSetup& setup_;
  Ledger& ledger_;
  std::function<void(int, const Member&)> done_;
  std::vector<double> epochs_;  // done of each
  parallel::Jobs::Batch batch_;
};

}  // namespace adwp::apps
