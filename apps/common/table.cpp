#include "apps/common/table.h"

#include <algorithm>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

std::size_t code_points(const std::string& text) {  // all bytes but UTF-8 continuation bytes
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char byte) { return (byte & 0xC0) != 0x80; }));
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) widths_.push_back(code_points(column.title));
}

void Table::row(std::vector<std::string> cells) {
  require(cells.size() == columns_.size(), "table", "wrong row, got {} cells, expected {}", cells.size(),
          columns_.size());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    widths_[i] = std::max(widths_[i], code_points(cells[i]));
  }
  rows_.push_back(std::move(cells));
}

std::string Table::line(const std::vector<std::string>& cells) const {
  std::string text;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(widths_[i] - code_points(cells[i]), ' ');
    if (i > 0) text += "  ";
    text += columns_[i].align == Align::left ? cells[i] + padding : padding + cells[i];
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

std::string Table::text() const {
  std::vector<std::string> titles;
  std::vector<std::string> rules;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    titles.push_back(columns_[i].title);
    rules.emplace_back(widths_[i], '-');
  }
  std::string text = line(titles) + line(rules);
  for (const auto& cells : rows_) text += line(cells);
  return text;
}

}  // namespace adwp::apps
