// Search over architectures: NSGA-II evolution, and random search to compare it with.
//
// Pure logic: who scores candidates, and how, is not known here. Limits reject before scoring, no
// architecture is scored twice, and a generation depends only on (seed, its number, the state), so
// a search continues from its state to the same result.
#pragma once

#include <functional>
#include <span>
#include <unordered_set>
#include <vector>

#include "nas/search/selection.h"
#include "nas/space/search_space.h"

namespace adwp::nas {

enum class Strategy { evolution, random };

struct SearchSettings {
  Strategy strategy = Strategy::evolution;
  int population = 32;
  int generations = 8;         // after the first, sampled one
  double mutation_only = 0.3;  // share of children that have one parent
  Limits limits;
  Task task;
  std::uint64_t seed = 0;
};

struct SearchState {
  int next_generation = 0;
  std::vector<Candidate> population;  // parents of the next generation
  std::vector<Candidate> evaluated;   // all, in the order they were scored
};

class Search {
 public:
  // Fills in the score of every candidate, and what it is predicted. Once a generation.
  using Scorer = std::function<void(std::span<Candidate>)>;
  // The latency of a network on one image, in microseconds; the same each time it is asked for one network.
  using Meter = std::function<double(const NetworkPlan&)>;

  // With a meter, latency is one of the objectives, and of the limits if they hold one.
  Search(const SearchSpace& space, const SearchSettings& settings, Scorer scorer, SearchState state = {},
         Meter meter = {});

  // Runs one generation; false when all are done or the space holds nothing new.
  bool step();
  const SearchState& state() const { return state_; }

 private:
  std::vector<Candidate> propose(Random& random);
  // Proposes the architecture unless it breaks a limit or was met before. Measuring latency is expensive, so
  // it comes last.
  bool admit(const Architecture& architecture, std::vector<std::uint64_t> parents,
             std::vector<Candidate>& proposed);
  std::vector<Candidate> select(std::vector<Candidate> candidates) const;

  const SearchSpace& space_;
  SearchSettings settings_;
  Scorer scorer_;
  Meter meter_;
  SearchState state_;
  std::unordered_set<std::uint64_t> met_;       // scored, or about to be
  std::unordered_set<std::uint64_t> too_slow_;  // measured, and rejected
  // Too slow in this generation. Those known from earlier ones count too: a resumed search knows none of
  // them.
  int rejected_ = 0;
};

// The `count` candidates worth training for real: half of the places go to the Pareto front's best by
// score, the others to the best of the rest.
std::vector<Candidate> choose_finalists(std::span<const Candidate> evaluated, std::size_t count);

}  // namespace adwp::nas
