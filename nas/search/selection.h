// Candidates of a search, and which of them go on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "nas/score/score_model.h"
#include "nas/space/network_plan.h"

namespace adwp::nas {

// A network under consideration.
struct Candidate {
  Architecture architecture;
  std::uint64_t hash = 0;
  std::int64_t params = 0, macs = 0;
  std::shared_ptr<const NetworkPlan> plan;             // from the proposal until the scorer has returned
  std::optional<double> latency_us, latency_batch_us;  // of one image, of an evaluation batch; if measured
  std::optional<double> predicted_loss, predicted_accuracy;  // with predicted weights, where there are any
  double score = 0;                                          // what the search maximises
  int generation = 0;
  std::vector<std::uint64_t> parents;  // hashes; none for a sampled one
};

// Dominance among candidates (NSGA-II: Deb et al., 2002).
//
// Objectives: score up; parameters, multiply-accumulates and, where measured, latency down. Ties are
// broken by hash, so that every order here is the same on every run.

// No worse in any objective, better in one.
bool dominates(const Candidate& a, const Candidate& b);

// Indices of `candidates` in fronts: the non-dominated, those that only these dominate, and so on.
std::vector<std::vector<std::size_t>> non_dominated_fronts(std::span<const Candidate> candidates);

// Crowding distance of each member of a front, in the front's order; infinite at the ends.
std::vector<double> crowding_distances(std::span<const Candidate> candidates,
                                       std::span<const std::size_t> front);

// The first front, best score first.
std::vector<Candidate> pareto_front(std::span<const Candidate> candidates);

// Successive halving (Jamieson & Talwalkar, 2016): train many networks briefly, few for long.

struct Rung {
  std::size_t networks = 0;
  int epochs = 0;  // of training, in all
  int from = 0;    // of them, those of the rung before, which this one goes on from; 0: it starts anew
};

// `halvings` + 1 rungs: the last trains for `epochs`, each one before for about 1 / 2.5 of the next;
// networks shrink by the same factor. 16 networks, 8 epochs, 2 halvings: 16 x 1, 6 x 3, 3 x 8.
std::vector<Rung> halving_schedule(std::size_t networks, int epochs, int halvings);

// Lets each rung that is at least twice as long as the one before go on from it: under a cosine of its own,
// because a network stopped within a long one has a learning rate far too high to be compared. That ranks as
// well as starting anew and saves what was trained (docs/results/ranking.md). A shorter rest would be most of
// all a learning rate that jumps up; such a rung starts anew.
void go_on(std::vector<Rung>& rungs);

// What becomes of the networks `indices`, each trained for rung.epochs.
using TrainNetworks =
    std::function<std::vector<Trained>(std::span<const std::size_t> indices, const Rung& rung)>;

// Who is better in a rung. Short trainings are compared by loss, which tells sooner than accuracy who will be
// better in the end (docs/results/ranking.md); the last by accuracy, which is what is wanted.
bool is_better(const Trained& a, const Trained& b, bool last_rung);

struct HalvingResult {
  std::vector<Trained> trained;    // per network, from the last rung it reached
  std::vector<int> epochs;         // and how long that trained it
  std::vector<std::size_t> order;  // best first: by rung reached, then as is_better() says there
};
HalvingResult successive_halving(const std::vector<Rung>& rungs, const TrainNetworks& train);

}  // namespace adwp::nas
