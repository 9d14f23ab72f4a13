#include "apps/common/run_log.h"

#include <cerrno>
#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

// The length of the file up to and with its last newline.
std::uintmax_t whole_lines(std::FILE* file) {
  std::uintmax_t position = 0;
  std::uintmax_t whole = 0;
  for (int byte = std::fgetc(file); byte != EOF; byte = std::fgetc(file)) {
    ++position;
    if (byte == '\n') whole = position;
  }
  return whole;
}

std::string last_error() { return std::generic_category().message(errno); }

}  // namespace

JsonLog::JsonLog(const std::filesystem::path& path) : path_(path), start_(std::chrono::steady_clock::now()) {
  // A kill may have cut the last line; a device (a disk that is full, in tests) has no end to look for.
  if (std::filesystem::is_regular_file(path)) {
    if (std::unique_ptr<std::FILE, Close> old{std::fopen(path.c_str(), "rb")}) {
      std::filesystem::resize_file(path, whole_lines(old.get()));
    }
  }
  file_.reset(std::fopen(path.c_str(), "ab"));
  require(file_ != nullptr, "log", "cannot open {}: {}", path.string(), last_error());
}

void JsonLog::write(std::string_view phase, const nlohmann::ordered_json& fields) {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  nlohmann::ordered_json line;
  line["seconds"] = std::round(elapsed.count() * 1e3) / 1e3;
  line["phase"] = phase;
  line.update(fields);
  const std::string text = line.dump() + "\n";
  const bool written =
      std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size() && std::fflush(file_.get()) == 0;
  require(written, "log", "cannot write {}: {}", path_.string(), last_error());
}

nlohmann::ordered_json number_or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

void RunLog::scalars(std::int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  if (events) events->write(step, values);
}

void RunLog::damage(const std::string& what) {
  progress.say(what);
  json.write("checkpoint", {{"damaged", what}});
}

}  // namespace adwp::apps
