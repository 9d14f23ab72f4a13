// What a checker says: a line for each task, and what is wrong.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <stdexcept>
#include <string>

namespace adwp::course {

// Thrown where an answer is wrong; what() says what was found, what was expected and where to look.
class Wrong : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <typename... Args>
[[noreturn]] void wrong(fmt::format_string<Args...> format, Args&&... args) {
  throw Wrong(fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void expect(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) wrong(format, std::forward<Args>(args)...);
}

class Report {
 public:
  explicit Report(std::string lab) : lab_(std::move(lab)) {}

  // Runs `check` in a process of its own, so that an answer which crashes or never ends is one wrong task,
  // and prints "pass" or "wrong" with its reason. `check` throws Wrong, or returns a remark for the line.
  void task(const std::string& name, const std::function<std::string()>& check, int seconds = 60);

  bool passed() const { return passed_ == tasks_; }  // all so far

  // Prints how many tasks pass. 0: all do; 1: not all.
  int end() const;

 private:
  std::string lab_;
  int tasks_ = 0, passed_ = 0;
};

}  // namespace adwp::course
