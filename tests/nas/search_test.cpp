#include "nas/search/search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "framework/core/error.h"
#include "nas/search/selection.h"

namespace adwp::nas {
namespace {

Candidate candidate(double score, std::int64_t params, std::int64_t macs, std::uint64_t hash) {
  Candidate c;
  c.score = score;
  c.params = params;
  c.macs = macs;
  c.hash = hash;
  return c;
}

TEST(Pareto, DominanceNeedsOneBetterAndNoneWorse) {
  const Candidate a = candidate(0.5, 100, 100, 1);
  EXPECT_TRUE(dominates(a, candidate(0.4, 100, 100, 2)));
  EXPECT_TRUE(dominates(a, candidate(0.5, 101, 100, 2)));
  EXPECT_FALSE(dominates(a, candidate(0.5, 100, 100, 2)));
  EXPECT_FALSE(dominates(a, candidate(0.4, 99, 100, 2)));
}

TEST(Pareto, FrontsAndCrowding) {
  const std::vector<Candidate> all = {candidate(3, 3, 3, 1), candidate(2, 2, 2, 2), candidate(1, 1, 1, 3),
                                      candidate(1, 3, 3, 4), candidate(0, 4, 4, 5)};
  const auto fronts = non_dominated_fronts(all);
  ASSERT_EQ(fronts.size(), 3u);
  EXPECT_EQ(std::set<std::size_t>(fronts[0].begin(), fronts[0].end()), (std::set<std::size_t>{0, 1, 2}));
  EXPECT_EQ(fronts[1], (std::vector<std::size_t>{3}));
  const std::vector<double> crowding = crowding_distances(all, fronts[0]);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::isinf(crowding[i]), fronts[0][i] != 1) << "the ends are infinite";
  }
  const std::vector<Candidate> front = pareto_front(all);
  ASSERT_EQ(front.size(), 3u);
  EXPECT_EQ(front[0].score, 3);
}

TEST(Halving, FollowsTheSchedule) {
  const std::vector<Rung> rungs = halving_schedule(16, 8, 2);
  ASSERT_EQ(rungs.size(), 3u);
  EXPECT_EQ(rungs[0].networks, 16u);
  EXPECT_EQ(rungs[0].epochs, 1);
  EXPECT_EQ(rungs[1].networks, 6u);
  EXPECT_EQ(rungs[1].epochs, 3);
  EXPECT_EQ(rungs[2].networks, 3u);
  EXPECT_EQ(rungs[2].epochs, 8);
  EXPECT_THROW(halving_schedule(0, 8, 2), Error);
}

TEST(Halving, RungsGoOnWhereTheyAreTwiceAsLong) {
  std::vector<Rung> rungs{{9, 2}, {5, 3}, {3, 6}, {2, 6}, {1, 16}};
  go_on(rungs);
  const int from[] = {0, 0, 3, 0, 6};
  for (std::size_t i = 0; i < rungs.size(); ++i) EXPECT_EQ(rungs[i].from, from[i]) << i;
}

TEST(Halving, KeepsTheBestOfEachRung) {
  std::vector<int> trained(6);
  // Network 1 has the least loss after one epoch (not the best accuracy), and turns out worst of those that
  // go on (by accuracy, not by loss).
  const auto outcome = [](std::size_t i, int epochs) {
    if (epochs == 1) return Trained{.accuracy = 0.1 * double(i), .loss = i == 1 ? 0.1 : 1 - 0.1 * double(i)};
    return i == 1 ? Trained{.accuracy = 0.2, .loss = 0.1} : Trained{.accuracy = 0.7, .loss = 0.3};
  };
  const HalvingResult result =
      successive_halving({{6, 1}, {2, 5}}, [&](std::span<const std::size_t> indices, const Rung& rung) {
        std::vector<Trained> outcomes;
        for (const std::size_t i : indices) {
          ++trained[i];
          outcomes.push_back(outcome(i, rung.epochs));
        }
        return outcomes;
      });
  EXPECT_EQ(result.order[0], 5u);
  EXPECT_EQ(result.order[1], 1u);
  EXPECT_EQ(result.epochs[5], 5);
  EXPECT_EQ(result.epochs[0], 1);
  EXPECT_EQ(trained, (std::vector<int>{1, 2, 1, 1, 1, 2}));
}

// A made-up truth: networks near a target number of MACs are good.
double made_up_score(const Candidate& c) {
  return -std::abs(std::log(static_cast<double>(c.macs) / 4e6)) -
         0.1 * std::log(static_cast<double>(c.params));
}

SearchState run(const SearchSettings& settings, SearchState state = {}, int steps = 1000,
                const Search::Meter& meter = {}) {
  static const SearchSpace space = SearchSpace::preset("tiny");
  Search search(
      space, settings,
      [](std::span<Candidate> candidates) {
        for (Candidate& c : candidates) c.score = made_up_score(c);
      },
      std::move(state), meter);
  for (int i = 0; i < steps && search.step(); ++i) {
  }
  return search.state();
}

double best(const SearchState& state) {
  double most = -1e9;
  for (const Candidate& c : state.evaluated) most = std::max(most, c.score);
  return most;
}

TEST(Search, EvaluatesNothingTwiceAndKeepsLimits) {
  SearchSettings settings{.population = 20, .generations = 10, .seed = 1};
  settings.limits.max_params = 100000;
  const SearchState state = run(settings);
  std::set<std::uint64_t> hashes;
  for (const Candidate& c : state.evaluated) {
    EXPECT_TRUE(hashes.insert(c.hash).second);
    EXPECT_LE(c.params, 100000);
    EXPECT_EQ(c.hash, c.architecture.hash());
  }
  EXPECT_EQ(state.evaluated.size(), 20u * 11u);
  EXPECT_EQ(state.population.size(), 20u);
}

TEST(Search, LatencyIsALimitBesidesTheOthersAndAnObjective) {
  SearchSettings settings{.population = 12, .generations = 4, .seed = 1};
  settings.limits = {.max_params = 100000, .max_macs = std::nullopt, .max_latency_us = 800};
  std::map<std::uint64_t, double> measured;
  int twice = 0;
  // As if time were set by the number of layers, and otherwise by chance.
  const Search::Meter meter = [&](const NetworkPlan& plan) {
    const std::uint64_t hash = plan.architecture.hash();
    const double us = 60.0 * static_cast<double>(plan.layers.size()) + static_cast<double>(hash % 100);
    twice += measured.insert({hash, us}).second ? 0 : 1;
    EXPECT_LE(plan.parameters(), 100000) << "measured, though another limit rejects it";
    return us;
  };
  const SearchState state = run(settings, {}, 1000, meter);
  ASSERT_EQ(state.evaluated.size(), 12u * 5u);
  EXPECT_EQ(twice, 0);
  EXPECT_GT(measured.size(), state.evaluated.size()) << "the limit rejected nothing: it was not tried";
  for (const Candidate& c : state.evaluated) {
    EXPECT_LE(c.params, 100000);
    ASSERT_TRUE(c.latency_us);
    EXPECT_LE(*c.latency_us, 800);
    EXPECT_EQ(*c.latency_us, measured.at(c.hash));
  }
  Candidate fast = candidate(0.4, 100, 100, 1), good = candidate(0.5, 90, 90, 2);
  fast.latency_us = 10;
  good.latency_us = 20;
  EXPECT_FALSE(dominates(good, fast));
  fast.latency_us = 30;
  EXPECT_TRUE(dominates(good, fast));
}

TEST(Search, ContinuesToTheSameResultAlsoWhenMostAreTooSlow) {
  SearchSettings settings{.population = 6, .generations = 8, .seed = 5};
  settings.limits.max_latency_us = 3;
  const Search::Meter meter = [](const NetworkPlan& plan) {
    return static_cast<double>(plan.architecture.hash() % 100);
  };
  const SearchState whole = run(settings, {}, 1000, meter);
  SearchState state;
  for (int generation = 0; generation <= settings.generations; ++generation) {
    state = run(settings, state, 1, meter);  // each in a process of its own
  }
  ASSERT_LT(whole.evaluated.size(), 6u * 9u) << "no generation gave up: the limit is not tight";
  ASSERT_EQ(state.evaluated.size(), whole.evaluated.size());
  for (std::size_t i = 0; i < whole.evaluated.size(); ++i) {
    EXPECT_EQ(state.evaluated[i].hash, whole.evaluated[i].hash);
    EXPECT_EQ(state.evaluated[i].generation, whole.evaluated[i].generation);
  }
}

TEST(Search, ALimitOnLatencyThatNothingMeetsEndsTheSearch) {
  SearchSettings settings{.population = 4, .generations = 2, .seed = 1};
  settings.limits.max_latency_us = 1;
  int measured = 0;
  const SearchState state = run(settings, {}, 1000, [&](const NetworkPlan&) {
    ++measured;
    return 2.0;
  });
  EXPECT_TRUE(state.evaluated.empty());
  EXPECT_LE(measured, 4 * 20 + 1);
}

TEST(Search, EvolutionBeatsRandomSearch) {
  int wins = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    SearchSettings settings{.population = 20, .generations = 10, .seed = seed};
    const double evolved = best(run(settings));
    settings.strategy = Strategy::random;
    wins += evolved > best(run(settings)) ? 1 : 0;
  }
  EXPECT_GE(wins, 4);
}

TEST(Search, ContinuesFromItsStateToTheSameResult) {
  const SearchSettings settings{.population = 10, .generations = 6, .seed = 3};
  const SearchState whole = run(settings);
  const SearchState continued = run(settings, run(settings, {}, 3));
  ASSERT_EQ(whole.evaluated.size(), continued.evaluated.size());
  for (std::size_t i = 0; i < whole.evaluated.size(); ++i) {
    EXPECT_EQ(whole.evaluated[i].hash, continued.evaluated[i].hash);
  }
}

TEST(Search, FinalistsHoldTheFrontAndTheBest) {
  const SearchState state = run({.population = 20, .generations = 5, .seed = 4});
  const std::vector<Candidate> finalists = choose_finalists(state.evaluated, 6);
  ASSERT_EQ(finalists.size(), 6u);
  std::set<std::uint64_t> hashes;
  for (const Candidate& c : finalists) hashes.insert(c.hash);
  EXPECT_EQ(hashes.size(), 6u);
  EXPECT_EQ(finalists.front().score, best(state));
  EXPECT_EQ(choose_finalists(state.evaluated, 100000).size(), state.evaluated.size());
}

}  // namespace
}  // namespace adwp::nas
