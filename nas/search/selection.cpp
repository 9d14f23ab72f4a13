// Who goes on: dominance among candidates, and successive halving.
#include "nas/search/selection.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "framework/core/error.h"

namespace adwp::nas {

namespace {

constexpr std::size_t objectives = 4;

// All to be minimised.
std::array<double, objectives> costs(const Candidate& c) {
  const double params = c.params, macs = c.macs;
  return {-c.score, params, macs, c.latency_us.value_or(0)};
}

}  // namespace

bool dominates(const Candidate& a, const Candidate& b) {
  const auto x = costs(a), y = costs(b);
  bool better = false;
  for (std::size_t i = 0; i < objectives; ++i) {
    if (x[i] > y[i]) return false;
    better = better || x[i] < y[i];
  }
  return better;
}

std::vector<std::vector<std::size_t>> non_dominated_fronts(std::span<const Candidate> candidates) {
  std::vector<std::vector<std::size_t>> dominated(candidates.size());
  std::vector<int> dominators(candidates.size(), 0);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    for (std::size_t j = 0; j < candidates.size(); ++j) {
      if (dominates(candidates[i], candidates[j])) {
        dominated[i].push_back(j);
        ++dominators[j];
      }
    }
  }
  std::vector<std::vector<std::size_t>> fronts(1);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (dominators[i] == 0) fronts[0].push_back(i);
  }
  while (!fronts.back().empty()) {
    std::vector<std::size_t> next;
    for (std::size_t i : fronts.back()) {
      for (std::size_t j : dominated[i]) {
        if (--dominators[j] == 0) next.push_back(j);
      }
    }
    std::sort(next.begin(), next.end());
    fronts.push_back(std::move(next));
  }
  fronts.pop_back();
  return fronts;
}

std::vector<double> crowding_distances(std::span<const Candidate> candidates,
                                       std::span<const std::size_t> front) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  std::vector<double> distances(front.size(), 0);
  std::vector<std::size_t> order(front.size());
  for (std::size_t objective = 0; objective < objectives; ++objective) {
    auto cost = [&](std::size_t i) { return costs(candidates[front[i]])[objective]; };
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      if (cost(a) != cost(b)) return cost(a) < cost(b);
      return candidates[front[a]].hash < candidates[front[b]].hash;
    });
    if (order.empty()) break;
    const double range = cost(order.back()) - cost(order.front());
    if (range == 0) continue;  // says nothing, and would make arbitrary members infinite
    distances[order.front()] = distances[order.back()] = infinite;
    for (std::size_t i = 1; i + 1 < order.size(); ++i) {
      distances[order[i]] += (cost(order[i + 1]) - cost(order[i - 1])) / range;
    }
  }
  return distances;
}

std::vector<Candidate> pareto_front(std::span<const Candidate> candidates) {
  std::vector<Candidate> front;
  for (const Candidate& candidate : candidates) {
    const bool beaten = std::any_of(candidates.begin(), candidates.end(),
                                    [&](const Candidate& other) { return dominates(other, candidate); });
    if (!beaten) front.push_back(candidate);
  }
  std::sort(front.begin(), front.end(), [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.hash < b.hash;
  });
  return front;
}

namespace {
constexpr double factor = 2.5;
}

std::vector<Rung> halving_schedule(std::size_t networks, int epochs, int halvings) {
  if (networks < 1 || epochs < 1 || halvings < 0) {
    fail_usage("finalists", "got {} finalists, {} epochs, {} halvings, expected at least 1, 1, 0", networks,
               epochs, halvings);
  }
  std::vector<Rung> rungs;
  for (int rung = 0; rung <= halvings; ++rung) {
    const double shrunk = networks / std::pow(factor, rung);
    const double grown = epochs / std::pow(factor, halvings - rung);
    Rung& added = rungs.emplace_back();
    added.networks = std::max(1l, std::lround(shrunk));
    added.epochs = std::max(1l, std::lround(grown));
  }
  return rungs;
}

void go_on(std::vector<Rung>& rungs) {
  for (std::size_t i = 1; i < rungs.size(); ++i) {
    const int before = rungs[i - 1].epochs;
    rungs[i].from = rungs[i].epochs >= 2 * before ? before : 0;
  }
}

bool is_better(const Trained& a, const Trained& b, bool last_rung) {
  return last_rung ? a.accuracy > b.accuracy : a.loss < b.loss;
}

HalvingResult successive_halving(const std::vector<Rung>& rungs, const TrainNetworks& train) {
  require(!rungs.empty(), "finalists", "no rungs");
  const std::size_t count = rungs.front().networks;
  HalvingResult result{std::vector<Trained>(count), std::vector<int>(count), std::vector<std::size_t>(count)};
  std::iota(result.order.begin(), result.order.end(), std::size_t{0});
  for (const Rung& rung : rungs) {
    const auto end = result.order.begin() + std::min(rung.networks, count);
    const std::vector<std::size_t> indices(result.order.begin(), end);
    const std::vector<Trained> trained = train(indices, rung);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      result.trained[indices[i]] = trained[i];
      result.epochs[indices[i]] = rung.epochs;
    }
    const bool last = &rung == &rungs.back();
    std::stable_sort(result.order.begin(), end, [&](std::size_t a, std::size_t b) {
      return is_better(result.trained[a], result.trained[b], last);
    });
  }
  return result;
}

}  // namespace adwp::nas
