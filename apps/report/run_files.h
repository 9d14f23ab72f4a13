// What a run directory holds, for those who only look.
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

  // The lines of log.jsonl of a phase, by their number in `key`. Of lines with one number the last counts: a
  // resumed run may have done a piece of work twice, to the same bits.
  std::vector<nlohmann::ordered_json> log(std::string_view phase, const std::string& key) const;

  // What every report begins with: version, settings and the facts of result.json but for `bulky` ones.
  nlohmann::ordered_json facts(const std::vector<std::string>& bulky) const;

 private:
  std::filesystem::path path_;
  std::map<std::string, std::string> settings_;
};

}  // namespace adwp::apps
