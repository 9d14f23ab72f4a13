// log.jsonl: what happened in a run, one JSON object a line. A line is handed to the system as soon as it is
// written: a kill does not lose it (a power cut may).
#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace adwp::apps {

class JsonLog {
 public:
  // Appends to `path`; a line that a killed process left unfinished is cut off first.
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

}  // namespace adwp::apps
