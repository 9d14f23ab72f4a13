#include "nas/store/run_store.h"
#include "nas/score/structure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "framework/core/error.h"
#include "nas/space/search_space.h"
#include "tests/support/temporary_directory.h"

namespace adwp::nas {
namespace {

// Scores that need all 53 bits of a double.
double awkward(int i) { return std::sqrt(2.0 + i) / 3.0; }

class RunStoreTest : public testing::Test {
 protected:
  std::string path() const { return (folder_.path() / "search.db").string(); }

  // A search as apps run it, stopped after `generations` (if that is fewer than all).
  SearchState search(RunStore* store, SearchState state, int generations) {
    const SearchSettings settings{.population = 5, .generations = 5, .task = {16, 3, 10}, .seed = 3};
    Search search(
        space_, settings,
        [](std::span<Candidate> candidates) {
          for (Candidate& c : candidates) {
            c.predicted_loss = awkward(static_cast<int>(c.hash % 1000));
            c.predicted_accuracy = std::nextafter(0.25, 1.0);
            c.score = -*c.predicted_loss;
            c.latency_us = c.hash % 2 == 0 ? std::optional(awkward(1)) : std::nullopt;
            c.latency_batch_us = c.hash % 2 == 0 ? std::optional(awkward(2)) : std::nullopt;
          }
        },
        std::move(state));
    while (search.state().next_generation < generations && search.step()) {
      if (store != nullptr) store->save_generation(search.state(), {.seconds = 0.5, .arena_peak = 100});
    }
    return search.state();
  }

  static void expect_same(const std::vector<Candidate>& a, const std::vector<Candidate>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].architecture, b[i].architecture);
      EXPECT_EQ(a[i].hash, b[i].hash);
      EXPECT_EQ(a[i].parents, b[i].parents);
      EXPECT_EQ(a[i].generation, b[i].generation);
      EXPECT_EQ(a[i].params, b[i].params);
      EXPECT_EQ(a[i].macs, b[i].macs);
      EXPECT_EQ(a[i].latency_us, b[i].latency_us);
      EXPECT_EQ(a[i].latency_batch_us, b[i].latency_batch_us);
      EXPECT_EQ(a[i].predicted_loss, b[i].predicted_loss);
      EXPECT_EQ(a[i].predicted_accuracy, b[i].predicted_accuracy);
      EXPECT_EQ(a[i].score, b[i].score);
    }
  }

  SearchSpace space_ = SearchSpace::preset("tiny");
  test::TemporaryDirectory folder_;
};

TEST_F(RunStoreTest, ASearchGoesOnFromItToTheSameEnd) {
  const SearchState whole = search(nullptr, {}, 6);
  for (int stop : {0, 1, 3, 6}) {
    const std::string path = (folder_.path() / std::to_string(stop)).string();
    {
      RunStore store(path);
      search(&store, {}, stop);
    }
    RunStore store(path);
    SearchState state = store.search_state();
    EXPECT_EQ(state.next_generation, stop);
    search(&store, std::move(state), 6);
    const SearchState end = RunStore(path).search_state();
    EXPECT_EQ(end.next_generation, 6);
    expect_same(end.evaluated, whole.evaluated);
    expect_same(end.population, whole.population);
    EXPECT_EQ(store.cost(Phase::search).seconds, 3.0);
  }
}

TEST_F(RunStoreTest, DoublesComeBackToTheBit) {
  const Architecture network = space_.largest();
  const Measured first{.params = 7,
                       .macs = std::int64_t{1} << 60,
                       .evidence = {{}, {std::numeric_limits<double>::denorm_min()}},
                       .predicted_accuracy = 1.0 / 3.0,
                       .trained = {std::numeric_limits<double>::max(), awkward(7)},
                       .one_epoch_loss = {}};
  Measured second = first;
  second.one_epoch_loss = awkward(5);
  {
    RunStore store(path());
    store.save_rank_network(0, network, first, {});
    EXPECT_FALSE(store.rank_sample()[0].one_epoch_loss);
    store.save_rank_network(0, network, second, {});
    store.save_rank_network(1, network, second, {});
  }
  const std::vector<Measured> networks = RunStore(path()).rank_sample();
  ASSERT_EQ(networks.size(), 2u);
  for (const Measured& m : networks) {
    EXPECT_EQ(m.params, second.params);
    EXPECT_EQ(m.macs, second.macs);
    EXPECT_EQ(m.predicted_loss(), second.predicted_loss());
    EXPECT_EQ(m.evidence.structure, structure_features(network, second.params, second.macs));
    EXPECT_EQ(m.predicted_accuracy, second.predicted_accuracy);
    EXPECT_EQ(m.trained, second.trained);
    EXPECT_EQ(m.one_epoch_loss, second.one_epoch_loss);
  }
}

TEST_F(RunStoreTest, RemembersFinalistsByLengthOfTraining) {
  RunStore store(path());
  const SearchState state = search(&store, {}, 1);
  const Candidate& finalist = state.evaluated[2];
  EXPECT_FALSE(store.trained(finalist, 3));
  store.save_finalist(finalist, 3, {awkward(1), awkward(3)}, {});
  store.save_finalist(finalist, 8, {awkward(2), awkward(4)}, {});
  EXPECT_EQ(store.trained(finalist, 3), (Trained{awkward(1), awkward(3)}));
  EXPECT_EQ(store.trained(finalist, 8), (Trained{awkward(2), awkward(4)}));
  EXPECT_FALSE(store.trained(state.evaluated[1], 3));
}

TEST_F(RunStoreTest, LatenciesBelongToADeviceAndASizeOfImages) {
  const Latencies measured{{{1, 1}, awkward(1)}, {{1, 500}, awkward(2)}, {{~std::uint64_t{0}, 1}, 3.0}};
  {
    RunStore store(path());
    store.save(measured, "cpu (this)", 32);
    store.save({{{1, 1}, 9.0}}, "cpu (that)", 32);
  }
  const RunStore store(path());
  EXPECT_EQ(store.latencies("cpu (this)", 32), measured);
  EXPECT_TRUE(store.latencies("cpu (this)", 16).empty());
  EXPECT_EQ(store.latencies("cpu (that)", 32).size(), 1u);
}

TEST_F(RunStoreTest, AddsUpCosts) {
  RunStore store(path());
  store.spend(Phase::hypernetwork, {.seconds = 2, .arena_peak = 50});
  store.finish(Phase::hypernetwork, {.seconds = 3, .arena_peak = 40});
  store.spend(Phase::finalists, {.seconds = 4, .arena_peak = 60});
  EXPECT_EQ(store.cost(Phase::hypernetwork).seconds, 5);
  EXPECT_EQ(store.cost(Phase::hypernetwork).arena_peak, 50);
  EXPECT_EQ(store.cost(Phase::search).seconds, 0);
  EXPECT_EQ(store.total().seconds, 9);
  EXPECT_EQ(store.total().arena_peak, 60);
}

TEST_F(RunStoreTest, ContentThatCannotBeIsDamage) {
  {
    RunStore store(path());
    search(&store, {}, 1);
  }
  const char* faults[] = {"UPDATE candidates SET architecture = '{' WHERE number = 1",
                          "UPDATE candidates SET id = 'x' WHERE number = 1",
                          "UPDATE candidates SET parent1 = 'nobody' WHERE number = 1",
                          "PRAGMA foreign_keys = OFF; UPDATE candidates SET generation = 7 WHERE number = 1",
                          "PRAGMA foreign_keys = OFF; UPDATE candidates SET generation = -1 WHERE number = 1",
                          "UPDATE candidates SET population = 99 WHERE number = 1",
                          "CREATE TRIGGER t AFTER INSERT ON candidates BEGIN DELETE FROM candidates; END",
                          "ALTER TABLE rank_sample RENAME TO r; CREATE VIEW rank_sample AS WITH RECURSIVE "
                          "n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
                          "DROP TABLE candidates"};
  for (const char* fault : faults) {
    std::filesystem::copy_file(path(), path() + "2", std::filesystem::copy_options::overwrite_existing);
    Database(path() + "2").run(fault);
    try {
      RunStore(path() + "2").search_state();
      FAIL() << fault;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("is damaged"), std::string::npos) << error.what();
    }
  }
}

// docs/run_store.md invites to queries: who keeps a view of them can still resume.
TEST_F(RunStoreTest, WhatStandsBesideItsTablesIsLeftAlone) {
  {
    RunStore store(path());
    search(&store, {}, 1);
  }
  Database(path()).run(
      "CREATE VIEW best AS SELECT max(score) FROM candidates; CREATE INDEX i ON candidates (score)");
  EXPECT_EQ(RunStore(path()).search_state().evaluated.size(), 5u);
}

}  // namespace
}  // namespace adwp::nas
