#include "nas/store/run_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "framework/core/error.h"
#include "nas/score/structure.h"

namespace adwp::nas {
namespace {

constexpr std::int64_t application = 0x61647770;  // "adwp", in the file's header

// docs/run_store.md says what each column means; who changes this raises RunStore::schema.
constexpr const char* tables = R"(
CREATE TABLE phases (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, finished INTEGER NOT NULL DEFAULT 0,
  seconds REAL NOT NULL DEFAULT 0, arena_peak INTEGER NOT NULL DEFAULT 0
);
INSERT INTO phases (number, name) VALUES (0, 'hypernetwork'), (1, 'rank_sample'), (2, 'search'), (3, 'finalists');
CREATE TABLE rank_sample (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL, architecture TEXT NOT NULL,
  params INTEGER NOT NULL, macs INTEGER NOT NULL, predicted_loss REAL, predicted_accuracy REAL,
  trained_accuracy REAL NOT NULL, trained_loss REAL NOT NULL, one_epoch_loss REAL
);
CREATE TABLE generations (
  generation INTEGER PRIMARY KEY, candidates INTEGER NOT NULL, best_score REAL NOT NULL
);
CREATE TABLE candidates (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, architecture TEXT NOT NULL,
  generation INTEGER NOT NULL REFERENCES generations, parent1 TEXT, parent2 TEXT,
  params INTEGER NOT NULL, macs INTEGER NOT NULL, latency_us REAL, latency_batch_us REAL,
  predicted_loss REAL, predicted_accuracy REAL, score REAL NOT NULL,
  trained_accuracy REAL, population INTEGER
);
CREATE TABLE latencies (
  id TEXT NOT NULL, batch INTEGER NOT NULL, image_size INTEGER NOT NULL, device TEXT NOT NULL,
  latency_us REAL NOT NULL, PRIMARY KEY (id, batch, image_size, device)
);
CREATE TABLE finalists (
  id TEXT NOT NULL, epochs INTEGER NOT NULL, trained_accuracy REAL NOT NULL, trained_loss REAL NOT NULL,
  PRIMARY KEY (id, epochs)
);
)";

std::string id_of(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

// Nothing unless `id` is what id_of writes.
std::optional<std::uint64_t> hash_of(const std::string& id) {
  std::uint64_t hash = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), hash, 16);
  const bool whole = error == std::errc() && end == id.data() + id.size();
  return whole ? std::optional(hash) : std::nullopt;
}

std::optional<std::string> parent(const Candidate& candidate, std::size_t i) {
  return i < candidate.parents.size() ? std::optional(id_of(candidate.parents[i])) : std::nullopt;
}

int number_of(Phase phase) { return static_cast<int>(phase); }

}  // namespace

RunStore::RunStore(const std::string& path) : database_(path) {
  const std::int64_t owner = database_.number("PRAGMA application_id");
  const std::int64_t found = database_.number("PRAGMA user_version");
  if (owner == 0 && found == 0 && database_.number("SELECT count(*) FROM sqlite_master") == 0) {
    create();
    return;
  }
  if (owner != application) {
    fail_usage("store", "{} is no database of a search; move it away, or choose another --out", path);
  }
  if (found != schema) {
    fail_usage("store",
               "{} is of another version, got schema {}, expected {}; resume with the program that began it",
               path, found, schema);
  }
  require_own_tables();
  Statement check = database_.prepare("PRAGMA quick_check(1)");
  if (!check.step() || check.text(0) != "ok") database_.fail_damaged(check.text(0));
}

// Under the name of a table may stand a view that never ends, or one with triggers: what is read and written
// must be the tables that create() makes. Other tables are not touched.
void RunStore::require_own_tables() const {
  const auto schema_of = [](const Database& database) {
    std::map<std::string, std::string> objects;
    Statement row = database.prepare("SELECT type, name, sql FROM sqlite_master");
    while (row.step()) objects[row.text(0) + " " + row.text(1)] = row.text(2);
    return objects;
  };
  const Database fresh(":memory:");
  fresh.run(tables);
  const auto found = schema_of(database_);
  for (const auto& [name, sql] : schema_of(fresh)) {
    const auto at = found.find(name);
    if (at == found.end() || at->second != sql)
      database_.fail_damaged(fmt::format("{} is not as it was made", name));
  }
  for (const auto& [name, sql] : found) {
    if (name.starts_with("trigger ")) database_.fail_damaged(fmt::format("{} was added", name));
  }
}

void RunStore::create() {
  Transaction transaction(database_);
  database_.run(tables);
  database_.run(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", application, schema));
  transaction.commit();
}

void RunStore::add(Phase phase, const PhaseCost& cost) {
  database_
      .prepare("UPDATE phases SET seconds = seconds + ?, arena_peak = max(arena_peak, ?) WHERE number = ?")
      .bind(cost.seconds, cost.arena_peak, number_of(phase))
      .run();
}

void RunStore::spend(Phase phase, const PhaseCost& cost) {
  Transaction transaction(database_);
  add(phase, cost);
  transaction.commit();
}

void RunStore::finish(Phase phase, const PhaseCost& cost) {
  Transaction transaction(database_);
  add(phase, cost);
  database_.prepare("UPDATE phases SET finished = 1 WHERE number = ?").bind(number_of(phase)).run();
  transaction.commit();
}

PhaseCost RunStore::cost(Phase phase) const {
  Statement row = database_.prepare("SELECT seconds, arena_peak FROM phases WHERE number = ?");
  if (!row.bind(number_of(phase)).step()) database_.fail_damaged("a phase is missing");
  return {row.real(0), row.integer(1)};
}

PhaseCost RunStore::total() const {
  Statement row = database_.prepare("SELECT sum(seconds), max(arena_peak) FROM phases");
  row.step();
  return {row.real(0), row.integer(1)};
}

std::vector<Measured> RunStore::rank_sample() const {
  std::vector<Measured> networks;
  Statement row = database_.prepare(
      "SELECT params, macs, predicted_loss, predicted_accuracy, trained_accuracy, one_epoch_loss, number, "
      "architecture, trained_loss FROM rank_sample ORDER BY number");
  while (row.step()) {
    if (row.integer(6) != std::ssize(networks)) database_.fail_damaged("the rank sample has a gap");
    Measured network{.params = row.integer(0),
                     .macs = row.integer(1),
                     .evidence = {},
                     .predicted_accuracy = row.optional_real(3),
                     .trained = {row.real(4), row.real(8)},
                     .one_epoch_loss = row.optional_real(5)};
    if (const auto loss = row.optional_real(2)) network.evidence.losses = {*loss};
    if (network.params <= 0 || network.macs <= 0)
      database_.fail_damaged("a network of the rank sample is empty");
    try {
      network.evidence.structure =
          structure_features(Architecture::from_json(row.text(7)), network.params, network.macs);
    } catch (const Error& error) {
      database_.fail_damaged(fmt::format("rank sample: {}", error.what()));
    }
    const Evidence& first = networks.empty() ? network.evidence : networks.front().evidence;
    if (network.evidence.structure.size() != first.structure.size() ||
        network.evidence.losses.size() != first.losses.size()) {
      database_.fail_damaged("the networks of the rank sample are of different spaces");
    }
    networks.push_back(std::move(network));
  }
  return networks;
}

void RunStore::save_rank_network(std::size_t number, const Architecture& architecture,
                                 const Measured& measured, const PhaseCost& cost) {
  Transaction transaction(database_);
  database_.prepare("INSERT OR REPLACE INTO rank_sample VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(number, architecture.id(), architecture.to_json(), measured.params, measured.macs,
            measured.predicted_loss(), measured.predicted_accuracy, measured.trained.accuracy,
            measured.trained.loss, measured.one_epoch_loss)
      .run();
  add(Phase::rank_sample, cost);
  transaction.commit();
}

SearchState RunStore::search_state() const {
  SearchState state;
  state.next_generation = database_.number("SELECT count(*) FROM generations");
  std::vector<std::pair<std::int64_t, std::size_t>> population;  // place in it, number
  Statement row = database_.prepare(
      "SELECT id, architecture, generation, parent1, parent2, params, macs, latency_us, latency_batch_us, "
      "predicted_loss, predicted_accuracy, score, population FROM candidates ORDER BY number");
  while (row.step()) {
    Candidate candidate;
    try {
      candidate.architecture = Architecture::from_json(row.text(1));
    } catch (const Error& error) {
      database_.fail_damaged(fmt::format("candidate {}: {}", row.text(0), error.what()));
    }
    candidate.hash = candidate.architecture.hash();
    if (id_of(candidate.hash) != row.text(0)) {
      database_.fail_damaged(fmt::format("candidate {}: its architecture is another", row.text(0)));
    }
    if (row.integer(2) < 0 || row.integer(2) >= state.next_generation) {
      database_.fail_damaged(fmt::format("candidate {}: generation {}", row.text(0), row.integer(2)));
    }
    candidate.generation = row.integer(2);
    for (int column : {3, 4}) {
      if (row.null(column)) continue;
      const std::optional<std::uint64_t> parent_hash = hash_of(row.text(column));
      if (!parent_hash) database_.fail_damaged(fmt::format("candidate {}: its parents", row.text(0)));
      candidate.parents.push_back(*parent_hash);
    }
    candidate.params = row.integer(5);
    candidate.macs = row.integer(6);
    candidate.latency_us = row.optional_real(7);
    candidate.latency_batch_us = row.optional_real(8);
    candidate.predicted_loss = row.optional_real(9);
    candidate.predicted_accuracy = row.optional_real(10);
    candidate.score = row.real(11);
    if (!row.null(12)) population.emplace_back(row.integer(12), state.evaluated.size());
    state.evaluated.push_back(std::move(candidate));
  }
  std::sort(population.begin(), population.end());
  for (std::int64_t i = 0; i < std::ssize(population); ++i) {
    if (population[i].first != i) database_.fail_damaged("the population has a gap");
  }
  for (const auto& [place, number] : population) state.population.push_back(state.evaluated[number]);
  return state;
}

void RunStore::save_generation(const SearchState& state, const PhaseCost& cost) {
  const int generation = state.next_generation - 1;
  const auto first = std::find_if(state.evaluated.begin(), state.evaluated.end(),
                                  [&](const Candidate& c) { return c.generation == generation; });
  const auto best =
      std::max_element(state.evaluated.begin(), state.evaluated.end(),
                       [](const Candidate& a, const Candidate& b) { return a.score < b.score; });
  require(first != state.evaluated.end(), "store", "generation {} has no candidates", generation);
  Transaction transaction(database_);
  database_.prepare("INSERT INTO generations VALUES (?, ?, ?)")
      .bind(generation, state.evaluated.end() - first, best->score)
      .run();
  Statement candidate =
      database_.prepare("INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)");
  for (auto c = first; c != state.evaluated.end(); ++c) {
    candidate
        .bind(c - state.evaluated.begin(), id_of(c->hash), c->architecture.to_json(), c->generation,
              parent(*c, 0), parent(*c, 1), c->params, c->macs, c->latency_us, c->latency_batch_us,
              c->predicted_loss, c->predicted_accuracy, c->score)
        .run();
  }
  database_.run("UPDATE candidates SET population = NULL WHERE population IS NOT NULL");
  Statement place = database_.prepare("UPDATE candidates SET population = ? WHERE id = ?");
  for (std::size_t i = 0; i < state.population.size(); ++i)
    place.bind(i, id_of(state.population[i].hash)).run();
  add(Phase::search, cost);
  transaction.commit();
}

Latencies RunStore::latencies(const std::string& device, std::int64_t image_size) const {
  Latencies latencies;
  Statement row =
      database_.prepare("SELECT id, batch, latency_us FROM latencies WHERE device = ? AND image_size = ?");
  row.bind(device, image_size);
  while (row.step()) {
    const std::optional<std::uint64_t> hash = hash_of(row.text(0));
    if (!hash || !(row.real(2) > 0)) database_.fail_damaged(fmt::format("latency of {}", row.text(0)));
    latencies[{*hash, row.integer(1)}] = row.real(2);
  }
  return latencies;
}

void RunStore::save(const Latencies& latencies, const std::string& device, std::int64_t image_size) {
  Transaction transaction(database_);
  Statement row = database_.prepare("INSERT OR REPLACE INTO latencies VALUES (?, ?, ?, ?, ?)");
  for (const auto& [of, microseconds] : latencies) {
    row.bind(id_of(of.first), of.second, image_size, device, microseconds).run();
  }
  transaction.commit();
}

std::optional<Trained> RunStore::trained(const Candidate& finalist, int epochs) const {
  Statement row =
      database_.prepare("SELECT trained_accuracy, trained_loss FROM finalists WHERE id = ? AND epochs = ?");
  if (!row.bind(id_of(finalist.hash), epochs).step()) return std::nullopt;
  return Trained{row.real(0), row.real(1)};
}

void RunStore::save_finalist(const Candidate& finalist, int epochs, const Trained& trained,
                             const PhaseCost& cost) {
  const std::string id = id_of(finalist.hash);
  Transaction transaction(database_);
  database_.prepare("INSERT INTO finalists VALUES (?, ?, ?, ?)")
      .bind(id, epochs, trained.accuracy, trained.loss)
      .run();
  database_.prepare("UPDATE candidates SET trained_accuracy = ? WHERE id = ?")
      .bind(trained.accuracy, id)
      .run();
  add(Phase::finalists, cost);
  transaction.commit();
}

}  // namespace adwp::nas
