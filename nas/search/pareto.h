// Dominance among candidates (NSGA-II: Deb et al., 2002).
//
// Objectives: score up; parameters, multiply-accumulates and, where measured, latency down. Ties are
// broken by hash, so that every order here is the same on every run.
#pragma once

#include <span>
#include <vector>

#include "nas/search/candidate.h"

namespace adwp::nas {

// No worse in any objective, better in one.
bool dominates(const Candidate& a, const Candidate& b);

// Indices of `candidates` in fronts: the non-dominated, those that only these dominate, and so on.
std::vector<std::vector<std::size_t>> non_dominated_fronts(std::span<const Candidate> candidates);

// Crowding distance of each member of a front, in the front's order; infinite at the ends.
std::vector<double> crowding_distances(std::span<const Candidate> candidates,
                                       std::span<const std::size_t> front);

// The first front, best score first.
std::vector<Candidate> pareto_front(std::span<const Candidate> candidates);

}  // namespace adwp::nas
