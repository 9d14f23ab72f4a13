// The phase that searches: evolution, or random search, on predicted scores.
#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "apps/common/main.h"
#include "apps/search/search_run.h"
#include "framework/core/error.h"
#include "nas/search/selection.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

nas::SearchSettings settings_of(const SearchSetup& setup) {
  const SearchOptions& options = setup.options;
  return {.strategy = options.strategy == "random" ? nas::Strategy::random : nas::Strategy::evolution,
          .population = options.population,
          .generations = options.generations,
          .limits = options.limits(),
          .task = setup.task,
          .seed = options.seed};
}

// Predicts candidates, where there are predictions, and scores them.
void score(SearchSetup& setup, Ledger& ledger, const nas::SearchScore& search_score,
           std::span<nas::Candidate> candidates, const std::function<void(double)>& show) {
  if (setup.options.predicts()) {
    std::vector<nas::NetworkPlan> plans;
    for (const nas::Candidate& c : candidates) plans.push_back(*c.plan);
    const std::vector<nas::Score> scores = predict(setup, ledger, plans, show);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      candidates[i].predicted_loss = scores[i].loss;
      candidates[i].predicted_accuracy = scores[i].accuracy;
    }
  }
  for (nas::Candidate& c : candidates) {
    c.score = search_score.of(evidence_of(c));
    if (c.latency_us) c.latency_batch_us = setup.latency(*c.plan, setup.evaluator->batch());
  }
}

// Writes the scores of the last generation to the event file.
void show_generation(const nas::SearchState& state, RunLog& log) {
  if (!log.events) return;
  double best_score = -std::numeric_limits<double>::infinity();  // so far
  std::optional<double> best_accuracy;
  std::vector<double> scores, accuracies;  // of the generation
  for (const nas::Candidate& c : state.evaluated) {
    best_score = std::max(best_score, c.score);
    best_accuracy = std::max(best_accuracy, c.predicted_accuracy);  // nothing is less than any
    if (c.generation + 1 != state.next_generation) continue;
    scores.push_back(c.score);
    if (c.predicted_accuracy) accuracies.push_back(*c.predicted_accuracy);
  }
  log.scalars(state.next_generation - 1,
              {{"search/best_score", best_score}, {"search/mean_score", nas::mean(scores)}});
  if (!best_accuracy) return;
  log.scalars(state.next_generation - 1, {{"search/best_predicted_accuracy", *best_accuracy},
                                          {"search/mean_predicted_accuracy", nas::mean(accuracies)}});
}

// Records the last generation in events, log, store and progress.
void record_generation(const nas::SearchState& state, Ledger& ledger) {
  show_generation(state, ledger.log);
  for (const nas::Candidate& c : state.evaluated) {
    if (c.generation + 1 != state.next_generation) continue;
    ledger.log.json.write("candidate", {{"generation", c.generation},
                                        {"architecture", Json::parse(c.architecture.to_json())},
                                        {"params", c.params},
                                        {"macs", c.macs},
                                        {"predicted_loss", number_or_null(c.predicted_loss)},
                                        {"predicted_accuracy", number_or_null(c.predicted_accuracy)},
                                        {"score", c.score},
                                        {"latency_us", number_or_null(c.latency_us)},
                                        {"latency_batch_us", number_or_null(c.latency_batch_us)}});
  }
  ledger.store.save_generation(state, ledger.lap());  // last: what it holds is not done again
  const auto best =
      std::max_element(state.evaluated.begin(), state.evaluated.end(),
                       [](const nas::Candidate& a, const nas::Candidate& b) { return a.score < b.score; });
  ledger.log.progress.milestone(state.next_generation, fmt::format("{} candidates, best score {:.3f}",
                                                                   state.evaluated.size(), best->score));
}

// Runs all generations that are left.
void run_generations(nas::Search& search, Ledger& ledger) {
  const auto begin = Clock::now();
  Clock::duration records{};  // spent on events, log, store and progress
  while (search.step()) {
    const auto scored = Clock::now();
    record_generation(search.state(), ledger);
    records += Clock::now() - scored;
  }
  ledger.log.progress.end();
  ledger.log.json.write("search", {{"candidates", search.state().evaluated.size()},
                                   {"seconds_here", seconds(Clock::now() - begin)},
                                   {"seconds_of_records", seconds(records)}});
}

}  // namespace

Evolution evolve(SearchSetup& setup, Ledger& ledger, const RankSample& sample) {
  const SearchOptions& options = setup.options;
  const nas::SearchScore search_score(sample.networks, options.predicts());
  Progress& progress = ledger.log.progress;
  const nas::Search::Scorer scorer = [&](std::span<nas::Candidate> candidates) {
    score(setup, ledger, search_score, candidates,
          [&](double fraction) { progress.update(candidates.front().generation + fraction); });
  };
  nas::Search::Meter meter;
  if (options.latency_counts()) {
    meter = [&](const nas::NetworkPlan& plan) { return setup.latency(plan, 1); };
  }
  nas::Search search(setup.space, settings_of(setup), scorer, ledger.store.search_state(), meter);
  progress.begin(options.strategy, options.generations + 1, "generations", search.state().next_generation);
  run_generations(search, ledger);
  const nas::SearchState& state = search.state();
  if (state.evaluated.empty()) {
    fail("search",
         "of the networks tried, none is within --max-latency-us {}; give a higher one and another "
         "--out",
         options.max_latency_us);
  }
  if (state.next_generation <= options.generations) {
    progress.say(
        fmt::format("no more generations after {}: nothing new is within the limits", state.next_generation));
  }
  ledger.store.finish(nas::Phase::search, ledger.lap());
  return {.evaluated = state.evaluated,
          .front = nas::pareto_front(state.evaluated),
          .seconds = ledger.store.cost(nas::Phase::search).seconds};
}

}  // namespace adwp::apps
