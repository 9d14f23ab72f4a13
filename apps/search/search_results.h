// What a search leaves: result.json, best.json, report.html, and the tables that a person reads.
#pragma once

#include <string>

#include "apps/search/phases.h"

namespace adwp::apps {

// What all phases found.
struct SearchOutcome {
  HyperTraining hyper;
  RankSample sample;
  Evolution evolution;
  std::vector<Finalist> finalists;

  const nas::Architecture& best() const;
};

void write_results(const SearchSetup& setup, const SearchOutcome& outcome, const nas::PhaseCost& total,
                   const RunDirectory& directory);

std::string summary_of(const SearchOptions& options, const SearchOutcome& outcome,
                       const RunDirectory& directory);

}  // namespace adwp::apps
