// What all phases of a search work with: the setup, which they read, and the ledger, which they write.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/run_directory.h"
#include "apps/common/run_log.h"
#include "apps/search/latency_table.h"
#include "apps/search/options.h"
#include "data/loader.h"
#include "nas/evaluation/evaluator.h"

namespace adwp::apps {

// Space, data and task, and in one arena the images, the weight source and the evaluator.
class SearchSetup {
 public:
  // Throws a usage Error when the options do not fit the space, the data or the device. `say` gets one line
  // with what was set up. `begins`: the search is not resumed.
  SearchSetup(Backend& backend, const SearchOptions& options, bool begins,
              const std::function<void(const std::string&)>& say);

  // What the run's bits depend on besides the settings (Settings::found).
  std::vector<std::pair<std::string, std::string>> found() const;

  Backend& backend;
  const SearchOptions& options;
  nas::SearchSpace space;
  data::TrainingData data;
  nas::Task task;
  std::unique_ptr<LatencyTable> latencies;
  std::unique_ptr<Arena> arena;
  data::DeviceImages train, validation;
  std::unique_ptr<nas::WeightSource> source;
  std::unique_ptr<nas::Evaluator> evaluator;

  // The latency of a network on `batch` images, in microseconds; measured once in a run.
  double latency(const nas::NetworkPlan& plan, std::int64_t batch);

 private:
  std::unique_ptr<nas::WeightSource> make_source(Arena& in) const;
  std::unique_ptr<nas::Evaluator> make_evaluator(Arena& in, const data::DeviceImages& images) const;
  void lay_out(Arena& counting) const;
  void require_fast_enough();
};

// Where the phases write what they did and what it cost.
class Ledger {
 public:
  Ledger(const RunDirectory& directory, RunLog& log, const Arena& arena);

  // What was spent since the last call.
  nas::PhaseCost lap();

  const RunDirectory& directory;
  RunLog& log;
  nas::RunStore store;

 private:
  const Arena& arena_;
  std::chrono::steady_clock::time_point lap_;
};

}  // namespace adwp::apps
