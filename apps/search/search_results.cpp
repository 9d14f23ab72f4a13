// What a search leaves: result.json, best.json and the tables a person reads.
#include <fmt/format.h>

#include <algorithm>

#include "apps/common/table.h"
#include "apps/search/search_run.h"
#include "framework/io/atomic_file.h"
#include "framework/version.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_shown = 20;  // rows of the front's table

}  // namespace

void SearchRun::write_results() {
  auto describe = [](const nas::Candidate& c) {
    return Json{{"architecture", Json::parse(c.architecture.to_json())},
                {"params", c.params},
                {"macs", c.macs},
                {"predicted_accuracy", c.predicted_accuracy},
                {"predicted_loss", c.predicted_loss}};
  };
  Json result;
  result["version"] = version;
  result["device"] = fmt::format("{} ({})", backend_.name(), backend_.description());
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
}

std::string SearchRun::summary() const {
  using Align = Table::Align;
  std::string text =
      fmt::format("\nPareto front of {} candidates ({:.0f} a minute)\n", state_.evaluated.size(),
                  search_facts_["candidates_per_minute"].get<double>());
  Table front({{"architecture", Align::left},
               {"params"},
               {"MACs"},
               {"predicted accuracy"},
               {"predicted loss"},
               {"score"}});
  const std::size_t shown = std::min<std::size_t>(front_.size(), most_shown);
  for (const nas::Candidate& c : std::span(front_).first(shown)) {
    front.row({c.architecture.id(), std::to_string(c.params), std::to_string(c.macs),
               fmt::format("{:.3f}", c.predicted_accuracy), fmt::format("{:.3f}", c.predicted_loss),
               fmt::format("{:.3f}", c.score)});
  }
  text += front.text();
  if (front_.size() > shown) {
    text += fmt::format("and {} smaller ones in result.json\n", front_.size() - shown);
  }
  if (!finalists_.empty()) {
    text += "\nFinalists, trained from scratch\n";
    Table table({{"architecture", Align::left},
                 {"params"},
                 {"MACs"},
                 {"predicted accuracy"},
                 {"trained accuracy"},
                 {"epochs"}});
    for (const Finalist& f : finalists_) {
      const nas::Candidate& c = f.candidate;
      table.row({c.architecture.id(), std::to_string(c.params), std::to_string(c.macs),
                 fmt::format("{:.3f}", c.predicted_accuracy), fmt::format("{:.3f}", f.trained_accuracy),
                 std::to_string(f.epochs)});
    }
    text += table.text();
  }
  if (agreement_.sample > 0) text += "\n" + agreement_.table();
  text += fmt::format("\nresult {}\nbest   {}\n", directory_.result().string(), directory_.best().string());
  return text;
}

}  // namespace adwp::apps
