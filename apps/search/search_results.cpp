// What a search leaves: result.json, best.json and the tables a person reads.
#include <fmt/core.h>

#include <algorithm>

#include "apps/common/devices.h"
#include "apps/common/table.h"
#include "apps/report/report.h"
#include "apps/search/search_run.h"
#include "framework/io/atomic_file.h"
#include "framework/version.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_shown = 20;  // rows of the front's table

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

}  // namespace

void SearchRun::write_results() {
  auto describe = [](const nas::Candidate& c) {
    Json json{{"architecture", Json::parse(c.architecture.to_json())},
              {"params", c.params},
              {"macs", c.macs},
              {"predicted_accuracy", c.predicted_accuracy},
              {"predicted_loss", c.predicted_loss}};
    if (c.latency_us) json["latency_us"] = *c.latency_us;
    if (c.latency_batch_us) json["latency_batch_us"] = *c.latency_batch_us;
    return json;
  };
  for (const std::string& note : backend_.notes()) log_.write("device", {{"note", note}});
  Json result;
  result["version"] = version;
  result["device"] = full_name(backend_);
  result["dataset"] = {{"name", data_.name},
                       {"train", data_.train.count()},
                       {"validation", data_.validation.count()},
                       {"test", nullptr},  // a search does not read it
                       {"classes", task_.classes},
                       {"image", {task_.image_size, task_.image_size, task_.channels}}};
  result["seed"] = options_.seed;
  result["space"] = {{"name", space_.name}, {"size", space_.size()}};
  result["weights"] = options_.weights;
  result["hypernetwork"] = hyper_facts_;
  result["search"] = search_facts_;
  result["pareto"] = Json::array();
  for (const nas::Candidate& candidate : front_) result["pareto"].push_back(describe(candidate));
  result["finalists"] = Json::array();
  for (const Finalist& finalist : finalists_) {
    Json entry = describe(finalist.candidate);
    entry["trained_accuracy"] = finalist.trained_accuracy;
    entry["epochs"] = finalist.epochs;
    result["finalists"].push_back(entry);
  }
  result["rank_correlation"] = agreement_.to_json();
  const nas::PhaseCost total = store_->total();
  result["arena"] = {{"bytes", arena_->size()}, {"peak_bytes", total.arena_peak}};
  result["seconds"] = total.seconds;
  io::write_atomically(directory_.result().string(), result.dump(2) + "\n");
  const nas::Architecture& best =
      finalists_.empty() ? front_.front().architecture : finalists_.front().candidate.architecture;
  io::write_atomically(directory_.best().string(), best.to_json() + "\n");
  write_report(directory_.path());
}

std::string SearchRun::summary() const {
  std::string text =
      fmt::format("\nPareto front of {} candidates ({:.0f} a minute)\n", state_.evaluated.size(),
                  search_facts_["candidates_per_minute"].get<double>());
  Table front = network_table(latency_counts(), {"predicted accuracy", "predicted loss", "score"});
  const std::size_t shown = std::min<std::size_t>(front_.size(), most_shown);
  for (const nas::Candidate& c : std::span(front_).first(shown)) {
    add_network(front, c,
                {fmt::format("{:.3f}", c.predicted_accuracy), fmt::format("{:.3f}", c.predicted_loss),
                 fmt::format("{:.3f}", c.score)});
  }
  text += front.text();
  if (front_.size() > shown) {
    text += fmt::format("and {} smaller ones in result.json\n", front_.size() - shown);
  }
  if (!finalists_.empty()) {
    text += "\nFinalists, trained from scratch\n";
    Table table = network_table(latency_counts(), {"predicted accuracy", "trained accuracy", "epochs"});
    for (const Finalist& f : finalists_) {
      add_network(table, f.candidate,
                  {fmt::format("{:.3f}", f.candidate.predicted_accuracy),
                   fmt::format("{:.3f}", f.trained_accuracy), std::to_string(f.epochs)});
    }
    text += table.text();
  }
  if (agreement_.sample > 0) text += "\n" + agreement_.table();
  text += fmt::format("\nresult {}\nreport {}\nbest   {}\n", directory_.result().string(),
                      directory_.report().string(), directory_.best().string());
  return text;
}

}  // namespace adwp::apps
