// One run of `search`: its phases in order, and what they leave.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "apps/search/search_helper.h"
#include "apps/search/setup.h"
#include "nas/score/rank_agreement.h"
#include "nas/search/search.h"

namespace adwp::apps {

// The phases of a search. Each takes the setup, what earlier phases found and the ledger, and returns what it
// found. It goes on where the ledger and the checkpoints say that it stopped, and what it does next depends
// only on those: so a run that was killed comes to the same bits.

// The weight sources, trained: the mean of their last losses, and what all of them took.
struct HyperTraining {
  double final_loss = 0, seconds = 0;
  std::int64_t images_seen = 0;
};

// Random networks that were both predicted and trained; empty when none is asked for.
struct RankSample {
  std::vector<nas::Candidate> candidates;
  std::vector<nas::Measured> networks;  // of the candidates, in order
  nas::RankAgreement agreement;
};

// Trains both, the weight sources and the rank sample, as the jobs of all ranks.
struct Preparation {
  HyperTraining hyper;
  RankSample sample;
};
Preparation prepare(SearchSetup& setup, Ledger& ledger);

// What a score knows of a network that is not trained, and of one that is.
nas::Evidence evidence_of(const nas::Candidate& network);
nas::Measured measured(const nas::Candidate& network, const nas::Trained& trained);

// What the search found with the score that the rank sample fits (nas::SearchScore).
struct Evolution {
  std::vector<nas::Candidate> evaluated;
  std::vector<nas::Candidate> front;  // the Pareto front
  double seconds = 0;

  double candidates_per_minute() const { return 60.0 * evaluated.size() / seconds; }
};
Evolution evolve(SearchSetup& setup, Ledger& ledger, const RankSample& sample);

// A finalist and how far it was trained.
struct Finalist {
  nas::Candidate candidate;
  nas::Trained trained;
  int epochs = 0;
  bool sampled = false;  // of the rank sample
};
// The best first: those that came furthest, then all that the first rung trained.
std::vector<Finalist> train_finalists(SearchSetup& setup, Ledger& ledger, const RankSample& sample,
                                      const Evolution& evolution);

// What a search leaves: result.json, best.json, report.html, and the tables that a person reads.

// What all phases found.
struct SearchOutcome {
  HyperTraining hyper;
  RankSample sample;
  Evolution evolution;
  std::vector<Finalist> finalists;
  std::vector<std::string> hosts;    // of the ranks
  std::vector<double> busy_seconds;  // that each rank spent in jobs

  const nas::Architecture& best() const;
};

void write_results(const SearchSetup& setup, const SearchOutcome& outcome, const nas::PhaseCost& total,
                   const RunDirectory& directory);

std::string summary_of(const SearchOptions& options, const SearchOutcome& outcome,
                       const RunDirectory& directory);

// All phases, in order.
class SearchRun {
 public:
  using Helper = SearchHelper;
  SearchRun(Backend& backend, const SearchOptions& options, const RunDirectory& directory);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const { return setup_.found(); }

  // Runs all phases from where an earlier process stopped; writes log.jsonl, search.db, checkpoints/,
  // best.json, result.json and report.html.
  void run(parallel::Group& group);

  // What a person reads at the end.
  std::string summary() const { return summary_of(setup_.options, outcome_, directory_); }

 private:
  void run_phases(Ledger& ledger);
  void record_ranks(const Ledger& ledger);

  const RunDirectory& directory_;
  RunLog log_;
  SearchSetup setup_;
  SearchOutcome outcome_;
};

}  // namespace adwp::apps
