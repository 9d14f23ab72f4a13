// The rows of a long study: a file of JSON lines, written as results come.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace adwp::bench {

// The rows that stand in a file; none when there is no such file. A last line that was cut off, because the
// program was killed while it wrote, is left out.
std::vector<nlohmann::json> read_rows(const std::string& path);

// A file of rows that grows. A study that is started again finds what it has, and goes on after it.
class Rows {
 public:
  explicit Rows(const std::string& path);

  // Whether there is a row that holds each key of `key` with the same value.
  bool contains(const nlohmann::json& key) const;
  // Adds a row at the end of the file, and hands it to the system at once.
  void append(nlohmann::json row);

 private:
  std::vector<nlohmann::json> rows_;
  std::ofstream file_;
};

}  // namespace adwp::bench
