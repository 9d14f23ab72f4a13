#include <gtest/gtest.h>

#include "framework/core/error.h"
#include "nas/store/run_store.h"
#include "tests/support/temporary_directory.h"

namespace adwp::nas {
namespace {

Candidate some_candidate() {
  Candidate c;
  c.architecture = SearchSpace::preset("tiny").smallest();
  c.hash = c.architecture.hash();
  return c;
}

Measured some_network() {
  return {.params = 10,
          .macs = 20,
          .evidence = {{}, {1.5}},
          .predicted_accuracy = 0.4,
          .trained = {0.5, 1.5},
          .one_epoch_loss = {}};
}

TEST(RunStoreReference, EachPhaseIsChargedWhatItCost) {
  const test::TemporaryDirectory folder;
  RunStore store((folder.path() / "search.db").string());
  SearchState state;
  state.next_generation = 1;
  state.evaluated = state.population = {some_candidate()};
  store.spend(Phase::hypernetwork, {.seconds = 1, .arena_peak = 10});
  store.save_rank_network(0, state.evaluated[0].architecture, some_network(),
                          {.seconds = 2, .arena_peak = 40});
  store.save_generation(state, {.seconds = 4, .arena_peak = 20});
  store.save_finalist(state.evaluated[0], 3, {0.5, 1.5}, {.seconds = 8, .arena_peak = 30});
  store.finish(Phase::finalists, {.seconds = 16, .arena_peak = 5});
  EXPECT_EQ(store.cost(Phase::hypernetwork).seconds, 1);
  EXPECT_EQ(store.cost(Phase::rank_sample).seconds, 2);
  EXPECT_EQ(store.cost(Phase::search).seconds, 4);
  EXPECT_EQ(store.cost(Phase::finalists).seconds, 24);
  EXPECT_EQ(store.cost(Phase::finalists).arena_peak, 30);
  EXPECT_EQ(store.total().seconds, 31);
  EXPECT_EQ(store.total().arena_peak, 40);
}

TEST(RunStoreReference, ARankSampleWithAGapIsDamage) {
  const test::TemporaryDirectory folder;
  RunStore store((folder.path() / "search.db").string());
  store.save_rank_network(0, some_candidate().architecture, some_network(), {});
  EXPECT_EQ(store.rank_sample().size(), 1u);
  store.save_rank_network(2, some_candidate().architecture, some_network(), {});
  EXPECT_THROW(store.rank_sample(), Error);
}

}  // namespace
}  // namespace adwp::nas
