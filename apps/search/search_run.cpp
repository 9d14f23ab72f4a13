#include "apps/search/search_run.h"

#include <nlohmann/json.hpp>

namespace adwp::apps {

SearchRun::SearchRun(Backend& backend, const SearchOptions& options, const RunDirectory& directory)
    : directory_(directory),
      log_(directory.log(), options.quiet),
      setup_(backend, options, !directory.resumes(),
             [this](const std::string& line) { log_.progress.say(line); }) {}

void SearchRun::run() {
  Ledger ledger(directory_, log_, *setup_.arena);
  if (setup_.options.tensorboard) log_.events.emplace(directory_.tensorboard());
  if (setup_.options.latency_counts()) setup_.latencies->keep_in(ledger.store);
  outcome_.hyper = train_source(setup_, ledger);
  outcome_.sample = train_rank_sample(setup_, ledger);
  outcome_.evolution = evolve(setup_, ledger, outcome_.sample);
  outcome_.finalists = train_finalists(setup_, ledger, outcome_.evolution);
  for (const std::string& note : setup_.backend.notes()) log_.json.write("device", {{"note", note}});
  write_results(setup_, outcome_, ledger.store.total(), directory_);
}

}  // namespace adwp::apps
