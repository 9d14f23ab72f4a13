#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <set>

#include "apps/report/run_files.h"
#include "nas/score/rank_agreement.h"
#include "nas/search/selection.h"
#include "nas/store/run_store.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

// Six digits: more than a page shows, and half the bytes.
Json rounded(std::optional<double> value) {
  return value ? Json(std::strtod(fmt::format("{:.6g}", *value).c_str(), nullptr)) : Json(nullptr);
}

// An architecture in little room, as unpack() of architecture.js reads it: [stem width, stem stride, head
// width, activation, stages], a stage [width, stride, blocks], a block [kind, kernel, expansion,
// squeeze_excite, residual, join, from, expands_input] with its kind and join as their numbers.
Json packed(const nas::Architecture& a) {
  Json stages = Json::array();
  for (const nas::Stage& stage : a.stages) {
    Json blocks = Json::array();
    for (const nas::Block& b : stage.blocks) {
      blocks.push_back({static_cast<int>(b.operation.kind), b.operation.kernel, b.operation.expansion,
                        int{b.operation.squeeze_excite}, int{b.residual}, static_cast<int>(b.join), b.from,
                        int{b.operation.expands_input}});
    }
    stages.push_back({stage.width, stage.stride, blocks});
  }
  return {a.stem_width, a.stem_stride, a.head_width, name_of(a.activation), stages};
}

std::string id_of(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

Json packed(const nas::Candidate& c) {
  Json parents = Json::array();
  for (std::uint64_t parent : c.parents) parents.push_back(id_of(parent));
  return {id_of(c.hash),
          c.params,
          c.macs,
          rounded(c.latency_us),
          rounded(c.latency_batch_us),
          rounded(c.predicted_loss),
          rounded(c.predicted_accuracy),
          rounded(c.score),
          c.generation,
          parents,
          packed(c.architecture)};
}
constexpr const char* candidate_columns[] = {"id",
                                             "params",
                                             "macs",
                                             "latency_us",
                                             "latency_batch_us",
                                             "predicted_loss",
                                             "predicted_accuracy",
                                             "score",
                                             "generation",
                                             "parents",
                                             "architecture"};

// The candidates that there is room for, the best first, the `kept` ones always.
void add_candidates(Json& data, const std::vector<nas::Candidate>& evaluated,
                    const std::set<std::uint64_t>& kept, std::size_t most_bytes) {
  std::vector<const nas::Candidate*> order;
  for (const nas::Candidate& c : evaluated) order.push_back(&c);
  std::stable_sort(order.begin(), order.end(), [&](const nas::Candidate* a, const nas::Candidate* b) {
    const bool keep_a = kept.contains(a->hash), keep_b = kept.contains(b->hash);
    return keep_a != keep_b ? keep_a : a->score > b->score;
  });
  Json rows = Json::array();
  std::size_t bytes = 0;
  for (const nas::Candidate* c : order) {
    Json row = packed(*c);
    bytes += row.dump().size() + 1;
    if (bytes > most_bytes && !kept.contains(c->hash)) break;
    rows.push_back(std::move(row));
  }
  data["left_out"] = evaluated.size() - rows.size();
  data["candidates"] = {{"columns", candidate_columns}, {"rows", std::move(rows)}};
}

// Of the scores of each generation, and of all up to it.
Json progress_of(const std::vector<nas::Candidate>& evaluated) {
  std::map<int, std::vector<double>> generations;
  for (const nas::Candidate& c : evaluated) generations[c.generation].push_back(c.score);
  Json progress = Json::array();
  std::optional<double> best;
  for (const auto& [generation, scores] : generations) {
    const double highest = *std::max_element(scores.begin(), scores.end());
    best = std::max(best.value_or(highest), highest);
    progress.push_back({{"generation", generation},
                        {"candidates", scores.size()},
                        {"mean", nas::mean(scores)},
                        {"best", highest},
                        {"best_so_far", *best}});
  }
  return progress;
}

Json phases_of(const nas::Database& database) {
  Json phases = Json::array();
  nas::Statement row = database.prepare("SELECT name, finished, seconds FROM phases ORDER BY number");
  while (row.step()) {
    phases.push_back({{"name", row.text(0)}, {"finished", row.integer(1) != 0}, {"seconds", row.real(2)}});
  }
  return phases;
}

Json finalists_of(const nas::Database& database) {
  Json finalists = Json::array();
  nas::Statement row = database.prepare(
      "SELECT id, epochs, trained_accuracy FROM finalists ORDER BY epochs DESC, trained_accuracy DESC");
  while (row.step()) {
    finalists.push_back({{"id", row.text(0)}, {"epochs", row.integer(1)}, {"trained_accuracy", row.real(2)}});
  }
  return finalists;
}

Json rank_sample_of(const nas::Database& database, const std::vector<nas::Measured>& networks,
                    const std::vector<double>& scores) {
  Json sample = Json::array();
  nas::Statement row = database.prepare("SELECT id, architecture FROM rank_sample ORDER BY number");
  for (const nas::Measured& m : networks) {
    if (!row.step()) database.fail_damaged("the rank sample is shorter than it was");
    sample.push_back({{"id", row.text(0)},
                      {"params", m.params},
                      {"macs", m.macs},
                      {"predicted_loss", rounded(m.predicted_loss())},
                      {"sample_score", rounded(scores[sample.size()])},
                      {"predicted_accuracy", rounded(m.predicted_accuracy)},
                      {"trained_accuracy", m.trained.accuracy},
                      {"one_epoch_loss", rounded(m.one_epoch_loss)},
                      {"architecture", packed(nas::Architecture::from_json(row.text(1)))}});
  }
  return sample;
}

Json json_of(const nas::RankAgreement& agreement) {
  if (agreement.sample == 0) return nullptr;
  const auto estimate = [](const std::optional<nas::Estimate>& e) {
    return e ? Json{{"value", e->value}, {"low", e->low}, {"high", e->high}} : Json(nullptr);
  };
  Json rankings = Json::array();
  for (const nas::Agreement& a : agreement.rankings) {
    rankings.push_back({{"ranking", a.ranking},
                        {"kendall_tau", estimate(a.kendall_tau)},
                        {"spearman_rho", estimate(a.spearman_rho)},
                        {"precision_at_10", rounded(a.precision_at_10)}});
  }
  return {{"sample", agreement.sample},
          {"mean_predicted", rounded(agreement.mean_predicted)},
          {"mean_trained", rounded(agreement.mean_trained)},
          {"verdict", agreement.verdict()},
          {"rankings", rankings}};
}

// When each rank was busy, of the process that ended the search; null for one process alone. `line`: what
// log.jsonl has of it. Pauses too short to be seen are left out.
Json ranks_of(const Json& line) {
  const double until = line.at("until"), shortest = until / 1000;
  Json ranks = Json::array();
  for (std::size_t rank = 0; rank < line.at("hosts").size(); ++rank) {
    double seconds = 0, end = -until;
    Json busy = Json::array();
    for (const Json& spell : line.at("busy").at(rank)) {
      const double begin = spell.at(0);
      const bool goes_on = begin < end + shortest;
      end = spell.at(1);
      seconds += end - begin;
      if (goes_on) {
        busy.back()[1] = rounded(end);
      } else {
        busy.push_back({rounded(begin), rounded(end)});
      }
    }
    ranks.push_back({{"host", line.at("hosts").at(rank)}, {"seconds", seconds}, {"busy", busy}});
  }
  return {{"until", until}, {"ranks", ranks}};
}

Json ranks_of(const RunFiles& files) {
  const std::vector<Json> lines = files.log("ranks");
  try {
    return lines.empty() ? Json() : ranks_of(lines.back());
  } catch (const Json::exception&) {  // a damaged line costs only its part of the report
    return nullptr;
  }
}

std::uint64_t seed_of(const RunFiles& files) {
  const std::string text = files.setting("seed");
  std::uint64_t seed = 0;
  std::from_chars(text.data(), text.data() + text.size(), seed);
  return seed;
}

}  // namespace

Json search_data(const RunFiles& files, std::size_t most_bytes) {
  Json data = files.facts({"pareto", "finalists"});
  data["hypernetwork"] = files.log("hypernetwork", "epoch");
  data["ranks"] = ranks_of(files);
  if (!std::filesystem::exists(files.at("search.db"))) return data;  // it was stopped before its first epoch

  const std::string path = files.at("search.db").string();
  const nas::RunStore store(path);  // checks the file
  const nas::Database database(path);
  const std::vector<nas::Measured> networks = store.rank_sample();
  const nas::SearchState state = store.search_state();
  data["phases"] = phases_of(database);
  data["rank_epochs"] = files.setting("rank-epochs");
  const bool predicts = files.setting("hyper-epochs") != "0";
  const nas::RankAgreement agreement = nas::rank_agreement(networks, seed_of(files), predicts);
  data["score"] = name_of(agreement.kind);
  data["score_is_loss"] = agreement.kind != nas::SearchScore::Kind::size;  // with its sign turned
  data["rank_sample"] = rank_sample_of(database, networks, agreement.scores);
  data["agreement"] = json_of(agreement);
  data["generations"] = progress_of(state.evaluated);
  data["finalists"] = finalists_of(database);
  data["front"] = Json::array();

  std::set<std::uint64_t> kept;
  for (const nas::Candidate& c : nas::pareto_front(state.evaluated)) {
    data["front"].push_back(id_of(c.hash));
    kept.insert(c.hash);
  }
  for (const nas::Candidate& c : state.evaluated) {
    for (const Json& finalist : data["finalists"]) {
      if (finalist["id"] == id_of(c.hash)) kept.insert(c.hash);
    }
  }
  add_candidates(data, state.evaluated, kept, most_bytes);
  return data;
}

}  // namespace adwp::apps
