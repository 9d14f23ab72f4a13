#include "apps/common/terminal.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

constexpr double redraw_seconds = 0.1;

std::size_t terminal_columns(std::FILE* stream) {
  winsize size{};
  const bool known = ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string rate_text(double rate) {
  if (rate >= 1e6) return fmt::format("{:.2f} M", rate / 1e6);
  if (rate >= 1e4) return fmt::format("{:.1f} k", rate / 1e3);
  return rate >= 100 ? fmt::format("{:.0f} ", rate) : fmt::format("{:.2f} ", rate);
}

std::size_t code_points(const std::string& text) {  // all bytes except for UTF-8 continuation bytes
  return std::count_if(text.begin(), text.end(), [](unsigned char byte) { return (byte & 0xC0) != 0x80; });
}

}  // namespace

std::string duration_text(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const long whole = std::lround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

Progress::Progress(bool quiet, std::FILE* stream)
    : stream_(stream), quiet_(quiet), terminal_(isatty(fileno(stream)) != 0) {}

Progress::~Progress() { end(); }

void Progress::begin(std::string phase, double total, std::string unit, double done) {
  end();
  phase_ = std::move(phase);
  unit_ = std::move(unit);
  note_.clear();
  total_ = total;
  before_ = done;
  start_ = Clock::now();
  drawn_ = {};
}

std::string Progress::describe(double done, std::size_t most) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = seconds > 0 ? (done - before_) / seconds : 0;
  const std::string head = fmt::format("{:<12} {:3.0f} %", phase_, 100 * std::min(1.0, done / total_));
  std::string tail;
  if (rate > 0) {
    tail = fmt::format("  {}{}/s", rate_text(rate), unit_);
    if (done < total_) tail += fmt::format("  {} left", duration_text((total_ - done) / rate));
  }
  if (note_.empty()) return head + tail;
  // On a narrow terminal the note loses its beginning: its figures stand at its end.
  std::string note = "  " + note_;
  const std::size_t length = head.size() + note.size() + tail.size();
  if (length > most) note.replace(2, std::min(length - most + 3, note.size() - 2), "...");
  return head + note + tail;
}

void Progress::redraw(const std::string& text) {
  fmt::print(stream_, "\r\x1b[K{}", text.substr(0, terminal_columns(stream_) - 1));
  std::fflush(stream_);
  line_open_ = true;
  drawn_ = Clock::now();
}

void Progress::update(double done, std::string_view note) {
  if (quiet_ || !terminal_) return;
  if (!note.empty()) note_ = note;
  if (std::chrono::duration<double>(Clock::now() - drawn_).count() < redraw_seconds) return;
  redraw(describe(done, terminal_columns(stream_) - 1));
}

void Progress::milestone(double done, std::string_view note) {
  if (quiet_) return;
  note_ = note;
  if (terminal_) {
    redraw(describe(done, terminal_columns(stream_) - 1));
  } else {
    say(describe(done, std::string::npos));
  }
}

void Progress::end() {
  if (line_open_) std::fputs("\n", stream_);
  line_open_ = false;
}

void Progress::say(std::string_view text) {
  if (quiet_) return;
  if (line_open_) std::fputs("\r\x1b[K", stream_);
  line_open_ = false;
  fmt::print(stream_, "{}\n", text);
  std::fflush(stream_);
}

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
