// What a run tells while it works: a line for people, log.jsonl, and event files for TensorBoard.
#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/common/event_file.h"
#include "apps/common/terminal.h"

namespace adwp::apps {

// log.jsonl: what happened in a run, one JSON object per line. The system gets each line as soon as it is
// written: a kill does not lose it (a power cut may).
class JsonLog {
 public:
  // Appends to `path`. First removes a line that a killed process left unfinished.
  explicit JsonLog(const std::filesystem::path& path);

  // Writes {"seconds": since this object was made, "phase": phase, ...fields}. `fields` is an
  // object. NaN and Inf become null. Throws an Error when the line cannot be written.
  void write(std::string_view phase, const nlohmann::ordered_json& fields);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::chrono::steady_clock::time_point start_;
  std::unique_ptr<std::FILE, Close> file_;
};

// A number, or null where there is none.
nlohmann::ordered_json number_or_null(const std::optional<double>& value);

struct RunLog {
  RunLog(const std::filesystem::path& json_path, bool quiet) : progress(quiet), json(json_path) {}

  // Writes scalars to the event file, if there is one. Call it before the same step is saved.
  void scalars(std::int64_t step, const std::vector<std::pair<std::string, double>>& values);
  // Says in one line which checkpoint is damaged.
  void damage(const std::string& what);

  Progress progress;
  JsonLog json;
  std::optional<EventFile> events;
};

}  // namespace adwp::apps
