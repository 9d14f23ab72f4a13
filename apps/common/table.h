// A plain table for the terminal: columns as wide as their widest cell.
#pragma once

#include <string>
#include <vector>

namespace adwp::apps {

class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::right;
  };

  explicit Table(std::vector<Column> columns);
  // One cell a column (else an Error), UTF-8.
  void row(std::vector<std::string> cells);
  // Titles, a rule and the rows, each line ended by a newline and without trailing blanks.
  std::string text() const;

 private:
  std::string line(const std::vector<std::string>& cells) const;

  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;  // in code points
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace adwp::apps
