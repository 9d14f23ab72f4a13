// One run of `search`: all phases, in order.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/search/search_results.h"

namespace adwp::apps {

class SearchRun {
 public:
  SearchRun(Backend& backend, const SearchOptions& options, const RunDirectory& directory);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const { return setup_.found(); }

  // Runs all phases from where an earlier process stopped; writes log.jsonl, search.db, checkpoints/,
  // best.json, result.json and report.html.
  void run();

  // What a person reads at the end.
  std::string summary() const { return summary_of(setup_.options, outcome_, directory_); }

 private:
  const RunDirectory& directory_;
  RunLog log_;
  SearchSetup setup_;
  SearchOutcome outcome_;
};

}  // namespace adwp::apps
