#include "tests/system/tiny_search.h"

#include <algorithm>
#include <cstring>

#include "framework/io/atomic_file.h"

namespace adwp::test {

Arguments tiny_search(const std::string& data, const std::filesystem::path& out) {
  return {ADWP_SEARCH,  "--data",
          data,         "--out",
          out.string(), "--batch",
          "32",         "--validation",
          "0.2",        "--hyper-epochs",
          "1",          "--rank-sample",
          "2",          "--rank-epochs",
          "1",          "--population",
          "4",          "--generations",
          "2",          "--finalists",
          "2",          "--finalist-epochs",
          "1",          "--halvings",
          "0"};
}

void add(Arguments& arguments, const Arguments& more) {
  for (std::size_t i = 0; i + 1 < more.size(); i += 2) {
    const auto found = std::find(arguments.begin(), arguments.end(), more[i]);
    if (found == arguments.end()) {
      arguments.insert(arguments.end(), {more[i], more[i + 1]});
    } else {
      *(found + 1) = more[i + 1];
    }
  }
}

std::string bytes_of(const std::filesystem::path& path) {
  return io::read_text(path.string(), std::size_t{1} << 30);
}

std::string tensors_of(const std::filesystem::path& checkpoint) {
  const std::string bytes = bytes_of(checkpoint);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  return bytes.substr(sizeof header + header);
}

nlohmann::json read_json(const std::filesystem::path& path) {
  return nlohmann::json::parse(io::read_text(path.string()));
}

nlohmann::json without_times(nlohmann::json json) {
  if (json.is_object()) {
    for (const char* key : {"seconds", "candidates_per_minute", "images_per_second"}) json.erase(key);
  }
  if (json.is_structured()) {
    for (auto& value : json) value = without_times(value);
  }
  return json;
}

}  // namespace adwp::test
