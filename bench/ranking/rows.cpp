#include "bench/ranking/rows.h"

#include <algorithm>
#include <utility>

#include "framework/core/error.h"
#include "framework/io/atomic_file.h"

namespace adwp::bench {

std::vector<nlohmann::json> read_rows(const std::string& path) {
  std::vector<nlohmann::json> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const bool whole = !file.eof();  // a line break ends it
    nlohmann::json row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!whole || row.is_discarded()) {
      require(file.eof() || file.peek() == EOF, "rows", "{}: line {} is not JSON", path, rows.size() + 1);
      break;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Rows::Rows(const std::string& path) : rows_(read_rows(path)) {
  std::string text;
  for (const nlohmann::json& row : rows_) text += row.dump() + "\n";
  io::write_atomically(path, text);
  file_.open(path, std::ios::app);
}

bool Rows::contains(const nlohmann::json& key) const {
  return std::any_of(rows_.begin(), rows_.end(), [&](const nlohmann::json& row) {
    return std::all_of(key.items().begin(), key.items().end(), [&](const auto& item) {
      return row.contains(item.key()) && row.at(item.key()) == item.value();
    });
  });
}

void Rows::append(nlohmann::json row) {
  file_ << row.dump() << std::endl;
  require(file_.good(), "rows", "a row could not be written; is the disk full?");
  rows_.push_back(std::move(row));
}

}  // namespace adwp::bench
