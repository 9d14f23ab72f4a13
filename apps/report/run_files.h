// What a run directory holds, read for a report.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace adwp::apps {

class RunFiles {
 public:
  // Throws a usage Error when `run` is no run of `search` or `train`.
  explicit RunFiles(std::filesystem::path run);

  bool is_search() const { return !settings_.contains("architecture"); }
  std::filesystem::path at(std::string_view name) const { return path_ / name; }
  // A setting, or what was found ("found-device"), as config.toml has it; "" when it is not there.
  std::string setting(const std::string& name) const;
  // A JSON file's object; null when it is not there.
  nlohmann::ordered_json json(std::string_view name) const;

  // The lines of log.jsonl of a phase, as they stand.
  std::vector<nlohmann::ordered_json> log(std::string_view phase) const;
  // The same by their number in `key`. The last of several lines with one number
  // counts: a resumed run may have done a piece of work twice, to the same bits.
  std::vector<nlohmann::ordered_json> log(std::string_view phase, const std::string& key) const;

  // What every report begins with: version, settings and the facts of result.json except for `bulky` ones.
  nlohmann::ordered_json facts(const std::vector<std::string>& bulky) const;

 private:
  std::filesystem::path path_;
  std::map<std::string, std::string> settings_;
};

// The page is kept below 2 MB: of too many candidates those with the lowest scores are left out, never one of
// the Pareto front or a finalist; `left_out` says how many.
inline constexpr std::size_t most_candidate_bytes = 1'500'000;

// What a report says of a run of `search`: log.jsonl, search.db and result.json as one JSON object.
nlohmann::ordered_json search_data(const RunFiles& files, std::size_t most_bytes = most_candidate_bytes);

// What a report says of a run of `train`: log.jsonl, test.json, result.json and the last checkpoint as one
// JSON object.
nlohmann::ordered_json train_data(const RunFiles& files);

}  // namespace adwp::apps
