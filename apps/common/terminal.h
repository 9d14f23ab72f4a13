// What a person sees on a terminal: the progress of a program, and tables.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace adwp::apps {

// On a terminal, one line that updates itself: phase, fraction, rate, time left. On a pipe, one line at each
// milestone (an epoch, a generation). Quiet: nothing. A program writes it to stderr, so that stdout holds
// only the result.
class Progress {
 public:
  explicit Progress(bool quiet, std::FILE* stream = stderr);
  ~Progress();  // ends a line that is being updated
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Begins a phase of `total` > 0 units; a run that is resumed has done `done` of them before.
  // `unit` is the plural that follows a number, e.g. "images".
  void begin(std::string phase, double total, std::string unit, double done = 0);
  // `done` units of the phase are done. `note` adds a few words, e.g. "loss 1.93"; without one, a terminal
  // keeps showing the last note of the phase.
  void update(double done, std::string_view note = {});
  void milestone(double done, std::string_view note = {});
  void end();
  // A line of its own, on a terminal and on a pipe.
  void say(std::string_view text);

 private:
  using Clock = std::chrono::steady_clock;
  std::string describe(double done, std::size_t most) const;  // in `most` characters, if it can
  void redraw(const std::string& text);

  std::FILE* stream_;
  bool quiet_;
  bool terminal_;
  bool line_open_ = false;
  std::string phase_, unit_, note_;
  double total_ = 1, before_ = 0;
  Clock::time_point start_, drawn_;
};

// Seconds for people: "8.4 s", "3 min 20 s", "2 h 05 min".
std::string duration_text(double seconds);

// A plain table: each column is as wide as its widest cell.
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
