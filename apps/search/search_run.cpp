#include "apps/search/search_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "apps/common/devices.h"
#include "apps/common/terminal.h"
#include "apps/report/report.h"
#include "framework/io/atomic_file.h"
#include "framework/version.h"

namespace adwp::apps {

SearchRun::SearchRun(Backend& backend, const SearchOptions& options, const RunDirectory& directory)
    : directory_(directory),
      log_(directory.log(), options.quiet),
      setup_(backend, options, directory.resumes() ? std::optional(directory.config()) : std::nullopt,
             log_.progress) {}

void SearchRun::run(parallel::Group& group) {
  parallel::Jobs jobs(group);
  lead(jobs, [&] {
    Ledger ledger(directory_, log_, *setup_.arena, group, jobs);
    run_phases(ledger);
  });
}

// Who did jobs, and when: seconds since the ranks began.
void SearchRun::record_ranks(const Ledger& ledger) {
  constexpr double gap = 0.05;  // a shorter pause between two jobs is not shown
  outcome_.hosts = ledger.jobs.hosts();
  outcome_.busy_seconds.resize(outcome_.hosts.size());
  if (ledger.group.alone()) return;
  std::vector<std::vector<std::array<double, 2>>> busy(outcome_.hosts.size());
  for (const auto& [rank, begin, end] : ledger.jobs.spells()) {
    outcome_.busy_seconds[rank] += end - begin;
    if (!busy[rank].empty() && begin < busy[rank].back()[1] + gap) {
      busy[rank].back()[1] = end;
    } else {
      busy[rank].push_back({begin, end});
    }
  }
  log_.json.write("ranks", {{"hosts", outcome_.hosts}, {"busy", busy}, {"until", ledger.jobs.seconds()}});
}

void SearchRun::run_phases(Ledger& ledger) {
  if (setup_.options.tensorboard) log_.events.emplace(directory_.tensorboard());
  if (setup_.options.latency_counts()) setup_.latencies->keep_in(ledger.store);
  Preparation prepared = prepare(setup_, ledger);
  outcome_.hyper = prepared.hyper;
  outcome_.sample = std::move(prepared.sample);
  outcome_.evolution = evolve(setup_, ledger, outcome_.sample);
  outcome_.finalists = train_finalists(setup_, ledger, outcome_.sample, outcome_.evolution);
  record_ranks(ledger);
  for (const std::string& note : setup_.backend.notes()) log_.json.write("device", {{"note", note}});
  write_results(setup_, outcome_, ledger.store.total(), directory_);
}

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_shown = 20;  // rows of the front's table

// For a table.
std::string text_of(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "-";
}

Json json_of(const nas::Candidate& c) {
  Json json{{"architecture", Json::parse(c.architecture.to_json())},
            {"params", c.params},
            {"macs", c.macs},
            {"predicted_accuracy", number_or_null(c.predicted_accuracy)},
            {"predicted_loss", number_or_null(c.predicted_loss)}};
  if (c.latency_us) json["latency_us"] = *c.latency_us;
  if (c.latency_batch_us) json["latency_batch_us"] = *c.latency_batch_us;
  return json;
}

Json json_of(const Finalist& finalist) {
  Json json = json_of(finalist.candidate);
  json["trained_accuracy"] = finalist.trained.accuracy;
  json["trained_loss"] = finalist.trained.loss;
  json["epochs"] = finalist.epochs;
  json["sampled"] = finalist.sampled;
  return json;
}

Json json_of(const Evolution& evolution, const RankSample& sample, const SearchSetup& setup) {
  std::vector<double> accuracies;
  for (const nas::Candidate& c : evolution.evaluated) {
    if (c.predicted_accuracy) accuracies.push_back(*c.predicted_accuracy);
  }
  return {{"strategy", setup.options.strategy},
          {"score", name_of(sample.agreement.kind)},
          {"evaluated", evolution.evaluated.size()},
          {"mean_predicted_accuracy", accuracies.empty() ? Json() : Json(nas::mean(accuracies))},
          {"best_predicted_accuracy",
           accuracies.empty() ? Json() : Json(*std::max_element(accuracies.begin(), accuracies.end()))},
          {"images_per_candidate", setup.options.predicts() ? setup.evaluator->images_per_network() : 0},
          {"seconds", evolution.seconds},
          {"candidates_per_minute", evolution.candidates_per_minute()}};
}

Json result_of(const SearchSetup& setup, const SearchOutcome& outcome, const nas::PhaseCost& total) {
  const nas::Task& task = setup.task;
  Json result;
  result["version"] = version;
  result["device"] = full_name(setup.backend);
  result["dataset"] = {{"name", setup.data.name},
                       {"train", setup.data.train.count()},
                       {"validation", setup.data.validation.count()},
                       {"test", nullptr},  // a search does not read it
                       {"classes", task.classes},
                       {"image", {task.image_size, task.image_size, task.channels}}};
  result["seed"] = setup.options.seed;
  result["space"] = {{"name", setup.space.name}, {"size", setup.space.size()}};
  result["weights"] = setup.options.weights;
  result["hypernetwork"] = {{"epochs", setup.extent.hyper_epochs},
                            {"members", setup.sources.size()},
                            {"parameters", setup.sources.front()->parameters().parameters()},
                            {"seconds", outcome.hyper.seconds},
                            {"images_seen", outcome.hyper.images_seen},
                            {"final_loss", outcome.hyper.final_loss}};
  result["search"] = json_of(outcome.evolution, outcome.sample, setup);
  result["pareto"] = Json::array();
  for (const nas::Candidate& candidate : outcome.evolution.front)
    result["pareto"].push_back(json_of(candidate));
  result["finalists"] = Json::array();
  for (const Finalist& finalist : outcome.finalists) result["finalists"].push_back(json_of(finalist));
  result["rank_correlation"] = outcome.sample.agreement.to_json();
  result["arena"] = {{"bytes", setup.arena->size()}, {"peak_bytes", total.arena_peak}};
  result["seconds"] = total.seconds;
  if (outcome.hosts.size() > 1) {
    result["ranks"] = {{"hosts", outcome.hosts}, {"busy_seconds", outcome.busy_seconds}};
  }
  if (setup.budget > 0) result["budget_epochs"] = setup.budget;
  return result;
}

// A table of networks: what each is and costs, and `more` columns.
Table network_table(bool latency, std::initializer_list<const char*> more) {
  std::vector<Table::Column> columns{{"architecture", Table::Align::left}, {"params"}, {"MACs"}};
  if (latency) columns.push_back({"latency"});
  for (const char* title : more) columns.push_back({title});
  return Table(columns);
}

void add_network(Table& table, const nas::Candidate& c, std::initializer_list<std::string> more) {
  std::vector<std::string> cells{c.architecture.id(), std::to_string(c.params), std::to_string(c.macs)};
  if (c.latency_us) cells.push_back(fmt::format("{:.0f} us", *c.latency_us));
  cells.insert(cells.end(), more);
  table.row(std::move(cells));
}

std::string front_text(const Evolution& evolution, bool latency) {
  const std::vector<nas::Candidate>& front = evolution.front;
  Table table = network_table(latency, {"predicted accuracy", "predicted loss", "score"});
  const std::size_t shown = std::min(front.size(), most_shown);
  for (const nas::Candidate& c : std::span(front).first(shown)) {
    add_network(table, c,
                {text_of(c.predicted_accuracy), text_of(c.predicted_loss), fmt::format("{:.3f}", c.score)});
  }
  std::string text = fmt::format("\nPareto front of {} candidates ({:.0f} a minute)\n{}",
                                 evolution.evaluated.size(), evolution.candidates_per_minute(), table.text());
  if (front.size() > shown) text += fmt::format("and {} smaller ones in result.json\n", front.size() - shown);
  return text;
}

std::string finalists_text(const std::vector<Finalist>& finalists, bool latency) {
  if (finalists.empty()) return "";
  Table table = network_table(latency, {"predicted accuracy", "trained accuracy", "epochs"});
  for (const Finalist& f : finalists) {
    add_network(
        table, f.candidate,
        {text_of(f.candidate.predicted_accuracy), text_of(f.trained.accuracy), std::to_string(f.epochs)});
  }
  return "\nFinalists, trained from scratch\n" + table.text();
}

}  // namespace

const nas::Architecture& SearchOutcome::best() const {
  return finalists.empty() ? evolution.front.front().architecture : finalists.front().candidate.architecture;
}

void write_results(const SearchSetup& setup, const SearchOutcome& outcome, const nas::PhaseCost& total,
                   const RunDirectory& directory) {
  io::write_atomically(directory.result().string(), result_of(setup, outcome, total).dump(2) + "\n");
  io::write_atomically(directory.best().string(), outcome.best().to_json() + "\n");
  write_report(directory.path());
}

std::string summary_of(const SearchOptions& options, const SearchOutcome& outcome,
                       const RunDirectory& directory) {
  const bool latency = options.latency_counts();
  std::string text = front_text(outcome.evolution, latency) + finalists_text(outcome.finalists, latency);
  if (outcome.sample.agreement.sample > 0) text += "\n" + outcome.sample.agreement.table();
  return text + fmt::format("\nresult {}\nreport {}\nbest   {}\n", directory.result().string(),
                            directory.report().string(), directory.best().string());
}

}  // namespace adwp::apps
