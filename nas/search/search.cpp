#include "nas/search/search.h"

#include <algorithm>

#include "framework/core/error.h"
#include "nas/search/selection.h"

namespace adwp::nas {
namespace {

// How often a new architecture is tried for before a generation is left smaller, per place.
constexpr int tries_per_place = 200;
// And how often one may prove too slow, which only a measurement tells.
constexpr int too_slow_per_place = 20;

struct Rank {
  std::size_t front = 0;
  double crowding = 0;
};

// Better front first, then the lonelier, then by hash.
bool before(const Rank& a, const Candidate& x, const Rank& b, const Candidate& y) {
  if (a.front != b.front) return a.front < b.front;
  if (a.crowding != b.crowding) return a.crowding > b.crowding;
  return x.hash < y.hash;
}

std::vector<Rank> rank_all(std::span<const Candidate> candidates) {
  std::vector<Rank> ranks(candidates.size());
  const auto fronts = non_dominated_fronts(candidates);
  for (std::size_t f = 0; f < fronts.size(); ++f) {
    const std::vector<double> crowding = crowding_distances(candidates, fronts[f]);
    for (std::size_t i = 0; i < fronts[f].size(); ++i) ranks[fronts[f][i]] = {f, crowding[i]};
  }
  return ranks;
}

}  // namespace

Search::Search(const SearchSpace& space, const SearchSettings& settings, Scorer scorer, SearchState state,
               Meter meter)
    : space_(space),
      settings_(settings),
      scorer_(std::move(scorer)),
      meter_(std::move(meter)),
      state_(std::move(state)) {
  if (settings.population < 2 || settings.generations < 0) {
    fail_usage("search", "got population {} and {} generations, expected at least 2 and 0",
               settings.population, settings.generations);
  }
  for (const Candidate& candidate : state_.evaluated) met_.insert(candidate.hash);
}

bool Search::admit(const Architecture& architecture, std::vector<std::uint64_t> parents,
                   std::vector<Candidate>& proposed) {
  const std::uint64_t hash = architecture.hash();
  if (met_.contains(hash)) return false;
  if (too_slow_.contains(hash)) {
    ++rejected_;
    return false;
  }
  const auto plan = std::make_shared<const NetworkPlan>(plan_network(architecture, settings_.task));
  if (!settings_.limits.admit(*plan)) return false;
  const std::optional<double> latency = meter_ ? std::optional(meter_(*plan)) : std::nullopt;
  if (latency && settings_.limits.max_latency_us && *latency > *settings_.limits.max_latency_us) {
    too_slow_.insert(hash);
    ++rejected_;
    return false;
  }
  met_.insert(hash);
  proposed.push_back({.architecture = architecture,
                      .hash = hash,
                      .params = plan->parameters(),
                      .macs = plan->macs(),
                      .plan = plan,
                      .latency_us = latency,
                      .generation = state_.next_generation,
                      .parents = std::move(parents)});
  return true;
}

std::vector<Candidate> Search::propose(Random& random) {
  std::vector<Candidate> proposed;
  const std::size_t wanted = settings_.population;
  rejected_ = 0;
  const auto may_try = [&](int tries) {
    return proposed.size() < wanted && tries < tries_per_place * settings_.population &&
           rejected_ < too_slow_per_place * settings_.population;
  };
  const bool breed = settings_.strategy == Strategy::evolution && state_.population.size() >= 2;
  const std::vector<Rank> ranks = rank_all(state_.population);
  auto tournament = [&]() -> const Candidate& {
    const std::uint32_t size = state_.population.size();
    const std::uint32_t a = random.below(size), b = random.below(size);
    const auto& people = state_.population;
    return before(ranks[a], people[a], ranks[b], people[b]) ? people[a] : people[b];
  };
  for (int tries = 0; breed && may_try(tries); ++tries) {
    const Candidate& first = tournament();
    Architecture child = first.architecture;
    std::vector<std::uint64_t> parents{first.hash};
    if (random.uniform() >= settings_.mutation_only) {
      const Candidate& second = tournament();
      child = space_.crossover(first.architecture, second.architecture, random);
      parents.push_back(second.hash);
    }
    const auto found = space_.within(space_.mutate(child, random), settings_.limits, settings_.task, random);
    if (found) admit(*found, std::move(parents), proposed);
  }
  // The first generation, random search, and places that breeding left empty.
  for (int tries = 0; may_try(tries); ++tries) {
    admit(space_.sample(random, settings_.limits, settings_.task), {}, proposed);
  }
  return proposed;
}

std::vector<Candidate> Search::select(std::vector<Candidate> candidates) const {
  const std::vector<Rank> ranks = rank_all(candidates);
  std::vector<std::size_t> order(candidates.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return before(ranks[a], candidates[a], ranks[b], candidates[b]);
  });
  order.resize(std::min<std::size_t>(order.size(), settings_.population));
  std::vector<Candidate> selected;
  for (std::size_t i : order) selected.push_back(candidates[i]);
  return selected;
}

bool Search::step() {
  if (state_.next_generation > settings_.generations) return false;
  Random random(settings_.seed, Purpose::evolution, state_.next_generation);
  std::vector<Candidate> children = propose(random);
  if (children.empty()) return false;
  scorer_(children);
  for (Candidate& child : children) child.plan.reset();  // thousands are kept
  state_.evaluated.insert(state_.evaluated.end(), children.begin(), children.end());
  std::vector<Candidate> all = std::move(state_.population);
  all.insert(all.end(), children.begin(), children.end());
  state_.population = select(std::move(all));
  ++state_.next_generation;
  return true;
}

std::vector<Candidate> choose_finalists(std::span<const Candidate> evaluated, std::size_t count) {
  std::vector<Candidate> ordered(evaluated.begin(), evaluated.end());
  std::sort(ordered.begin(), ordered.end(), [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.hash < b.hash;
  });
  std::vector<Candidate> finalists = pareto_front(ordered);
  finalists.resize(std::min(finalists.size(), (count + 1) / 2));
  for (const Candidate& candidate : ordered) {
    if (finalists.size() >= count) break;
    const bool taken = std::any_of(finalists.begin(), finalists.end(),
                                   [&](const Candidate& c) { return c.hash == candidate.hash; });
    if (!taken) finalists.push_back(candidate);
  }
  return finalists;
}

}  // namespace adwp::nas
