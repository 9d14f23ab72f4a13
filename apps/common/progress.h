// What a person sees while a program works.
//
// On a terminal one line that updates itself: phase, fraction, rate, time left. On a pipe one line
// at each milestone (an epoch, a generation). Quiet: nothing. A program writes it to stderr, so
// that stdout holds the result alone.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

namespace adwp::apps {

class Progress {
 public:
  explicit Progress(bool quiet, std::FILE* stream = stderr);
  ~Progress();  // ends a line that is being updated
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // A new phase of `total` > 0 units, of which `done` were done before (in a run that is resumed).
  // `unit` is the plural that follows a number, e.g. "images".
  void begin(std::string phase, double total, std::string unit, double done = 0);
  // `done` units of the phase are done; `note` is a few words more, e.g. "loss 1.93". Without one, a terminal
  // goes on showing the phase's last.
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

}  // namespace adwp::apps
