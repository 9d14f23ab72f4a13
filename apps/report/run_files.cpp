#include "apps/report/run_files.h"

#include <cstdio>
#include <fstream>

#include "apps/common/toml_values.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/nesting.h"
#include "framework/version.h"
#include "nas/network/stored_network.h"

namespace adwp::apps {

using Json = nlohmann::ordered_json;

namespace {

// Beyond what any run writes.
constexpr int deepest = 32;
constexpr std::size_t most_values = 20'000'000;

// Nothing of use for what is no JSON.
Json parsed(const std::string& text) {
  return io::json_exceeds(text, deepest, most_values) ? Json() : Json::parse(text, nullptr, false);
}

// Of the newest whole checkpoint; null when there is none. A damaged one costs only its part of the report.
Json network_of(const std::filesystem::path& checkpoint) {
  const auto warn = [](const std::string&, const Error& error) {
    fmt::print(stderr, "warning: {}; the report goes without it\n", error.what());
  };
  auto newest = io::read_newest(checkpoint.string(), warn);
  if (!newest) return nullptr;
  const std::string path = newest->path;
  try {
    const nas::NetworkPlan plan = nas::StoredNetwork::from(std::move(*newest)).plan;
    return {{"id", plan.architecture.id()},  {"architecture", Json::parse(plan.architecture.to_json())},
            {"params", plan.parameters()},   {"macs", plan.macs()},
            {"image", plan.task.image_size}, {"channels", plan.task.channels},
            {"classes", plan.task.classes}};
  } catch (const Error& error) {
    warn(path, error);
    return nullptr;
  }
}

}  // namespace

RunFiles::RunFiles(std::filesystem::path run) : path_(std::move(run)) {
  std::error_code ignored;
  if (!std::filesystem::exists(at("config.toml"), ignored)) {
    fail_usage("report", "no run, got '{}' without config.toml, expected a run directory of search or train",
               path_.string());
  }
  for (const TomlValue& value : read_flat_toml(at("config.toml"))) settings_[value.key] = value.raw;
}

std::string RunFiles::setting(const std::string& name) const {
  const auto found = settings_.find(name);
  return found == settings_.end() ? std::string() : found->second;
}

Json RunFiles::json(std::string_view name) const {
  std::error_code ignored;
  if (!std::filesystem::exists(at(name), ignored)) return nullptr;
  const Json json = parsed(io::read_text(at(name).string(), std::size_t{256} << 20));
  require(json.is_object(), "report", "{} is damaged: no JSON object; move it away", at(name).string());
  return json;
}

std::vector<Json> RunFiles::log(std::string_view phase) const {
  std::vector<Json> lines;
  std::ifstream file(at("log.jsonl"));
  for (std::string line; std::getline(file, line);) {
    Json json = parsed(line);  // a kill may have cut the last one
    if (json.is_object() && json.value("phase", Json()) == phase) lines.push_back(std::move(json));
  }
  return lines;
}

std::vector<Json> RunFiles::log(std::string_view phase, const std::string& key) const {
  std::map<std::int64_t, Json> lines;
  for (Json& json : log(phase)) {
    const Json number = json.value(key, Json());
    if (number.is_number_integer()) lines[number.get<std::int64_t>()] = std::move(json);
  }
  std::vector<Json> result;
  for (auto& [number, line] : lines) result.push_back(std::move(line));
  return result;
}

Json RunFiles::facts(const std::vector<std::string>& bulky) const {
  Json result = json("result.json");
  const bool finished = result.is_object();
  if (finished) {
    for (const std::string& key : bulky) result.erase(key);
  }
  const std::string began = setting("version");
  return {{"version", began.empty() ? version : began},
          {"device", setting("found-device")},
          {"data", setting("data")},
          {"finished", finished},
          {"result", result},
          {"config", io::read_text(at("config.toml").string(), 1 << 20)}};
}

Json train_data(const RunFiles& files) {
  Json data = files.facts({});
  data["epochs"] = files.log("train", "epoch");
  data["test"] = files.json("test.json");
  data["network"] = network_of(files.at("checkpoints") / "network.safetensors");
  return data;
}

}  // namespace adwp::apps
