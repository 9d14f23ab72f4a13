// What evolution keeps and breeds, against the definitions of NSGA-II (Deb et al., 2002) in plain loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "nas/search/search.h"
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

TEST(ParetoReference, CrowdingIsTheDistanceBetweenTheNeighbours) {
  // All on one front; parameters say what the score says, MACs are all alike.
  const std::vector<Candidate> all = {candidate(1, 10, 7, 1), candidate(2, 20, 7, 2), candidate(4, 40, 7, 3),
                                      candidate(11, 110, 7, 4)};
  const std::vector<std::size_t> front = {0, 1, 2, 3};
  const std::vector<double> distances = crowding_distances(all, front);
  EXPECT_TRUE(std::isinf(distances[0]));
  EXPECT_NEAR(distances[1], 2 * (4 - 1) / 10.0, 1e-12);
  EXPECT_NEAR(distances[2], 2 * (11 - 2) / 10.0, 1e-12);
  EXPECT_TRUE(std::isinf(distances[3]));
}

// Scores by chance, so that fronts have many members.
double score_of(const Candidate& c) { return static_cast<double>(c.hash % 1000); }

SearchState generations(const SearchSettings& settings, int steps, const SearchState& from = {}) {
  static const SearchSpace space = SearchSpace::preset("tiny");
  Search search(
      space, settings,
      [](std::span<Candidate> candidates) {
        for (Candidate& c : candidates) c.score = score_of(c);
      },
      from);
  for (int i = 0; i < steps; ++i) EXPECT_TRUE(search.step());
  return search.state();
}

// The front each candidate is on: 0 where nobody dominates it, and so on behind those.
std::vector<int> fronts_of(const std::vector<Candidate>& all) {
  std::vector<int> front(all.size(), -1);
  for (int f = 0; std::count(front.begin(), front.end(), -1) > 0; ++f) {
    std::vector<std::size_t> now;
    for (std::size_t i = 0; i < all.size(); ++i) {
      bool beaten = false;
      for (std::size_t j = 0; j < all.size(); ++j) {
        const bool better =
            all[j].score >= all[i].score && all[j].params <= all[i].params && all[j].macs <= all[i].macs &&
            (all[j].score > all[i].score || all[j].params < all[i].params || all[j].macs < all[i].macs);
        beaten |= front[j] < 0 && better;
      }
      if (front[i] < 0 && !beaten) now.push_back(i);
    }
    for (std::size_t i : now) front[i] = f;
  }
  return front;
}

TEST(SelectionReference, BetterFrontsStayAndOfTheLastTheLonelier) {
  const SearchSettings settings{.population = 30, .generations = 3, .seed = 8};
  SearchState before = generations(settings, 1);
  for (int step = 0; step < 3; ++step) {
    const SearchState after = generations(settings, 1, before);
    std::vector<Candidate> all = before.population;
    all.insert(all.end(), after.evaluated.end() - 30, after.evaluated.end());
    const std::vector<int> front = fronts_of(all);
    std::set<std::uint64_t> kept;
    for (const Candidate& c : after.population) kept.insert(c.hash);
    ASSERT_EQ(kept.size(), 30u);
    int last = 0;  // front of which something is kept
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (kept.contains(all[i].hash)) last = std::max(last, front[i]);
    }
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (front[i] < last) {
        EXPECT_TRUE(kept.contains(all[i].hash));
      }
      if (front[i] == last) members.push_back(i);
    }
    const std::vector<double> crowding = crowding_distances(all, members);
    double least_kept = std::numeric_limits<double>::infinity(), most_left = 0;
    for (std::size_t m = 0; m < members.size(); ++m) {
      double& limit = kept.contains(all[members[m]].hash) ? least_kept : most_left;
      limit =
          kept.contains(all[members[m]].hash) ? std::min(limit, crowding[m]) : std::max(limit, crowding[m]);
    }
    EXPECT_GE(least_kept, most_left);
    before = after;
  }
}

TEST(SelectionReference, ParentsWinTournaments) {
  // Of two at random the better one: of ranks from 0 to 1, a third on average instead of a half.
  const SearchSettings settings{.population = 200, .generations = 1, .seed = 9};
  const SearchState first = generations(settings, 1);
  const std::vector<int> front = fronts_of(first.population);
  std::map<std::uint64_t, double> rank;  // the share of the population on better fronts, half of equals
  for (std::size_t i = 0; i < front.size(); ++i) {
    double better = 0;
    for (int other : front) better += other < front[i] ? 1 : (other == front[i] ? 0.5 : 0);
    rank[first.population[i].hash] = better / static_cast<double>(front.size());
  }
  const SearchState second = generations(settings, 1, first);
  double sum = 0, parents = 0, with_one = 0;
  for (std::size_t i = 200; i < second.evaluated.size(); ++i) {
    const Candidate& child = second.evaluated[i];
    with_one += child.parents.size() == 1;
    for (std::uint64_t parent : child.parents) sum += rank.at(parent), ++parents;
  }
  EXPECT_NEAR(sum / parents, 1.0 / 3, 0.06);
  EXPECT_NEAR(with_one / 200, settings.mutation_only, 0.12);
}

TEST(SelectionReference, ALatencyAtTheLimitIsAllowed) {
  const SearchSpace space = SearchSpace::preset("tiny");
  SearchSettings settings{.population = 4, .generations = 0, .seed = 1};
  settings.limits.max_latency_us = 5;
  Search search(
      space, settings, [](std::span<Candidate>) {}, {}, [](const NetworkPlan&) { return 5.0; });
  EXPECT_TRUE(search.step());
  EXPECT_EQ(search.state().evaluated.size(), 4u);
  EXPECT_FALSE(search.step()) << "one generation was asked for";
}

TEST(FinalistsReference, HalfComeFromTheFrontAndHalfAreTheBestOfTheRest) {
  const std::vector<Candidate> all = {candidate(8, 300, 300, 1), candidate(10, 100, 100, 2),
                                      candidate(1, 10, 10, 3),   candidate(9, 200, 200, 4),
                                      candidate(0.5, 5, 5, 5),   candidate(0.1, 1, 1, 6)};
  std::vector<std::uint64_t> chosen;
  for (const Candidate& c : choose_finalists(all, 4)) chosen.push_back(c.hash);
  EXPECT_EQ(chosen, (std::vector<std::uint64_t>{2, 3, 4, 1}));
  chosen.clear();
  for (const Candidate& c : choose_finalists(all, 3)) chosen.push_back(c.hash);
  EXPECT_EQ(chosen, (std::vector<std::uint64_t>{2, 3, 4}));
}

}  // namespace
}  // namespace adwp::nas
