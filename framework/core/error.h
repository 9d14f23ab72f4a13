// Errors: one exception type, one message form.
//
// Every message reads `[where] what, got ..., expected ...; hint`. A program prints it as
// `error: [where] ...` on one line and exits with 1 (the work failed) or 2 (wrong use).
#pragma once

#include <fmt/core.h>  // format.h takes twice as long to read, in every file

#include <stdexcept>
#include <string>
#include <string_view>

namespace adwp {

enum class Fault { failed = 1, usage = 2 };  // the values are the exit codes

// Names in a message come from files and folders of anyone: control characters become "\n" or "\x1b", and
// a text without end is cut.
std::string one_line(std::string_view text);

class Error : public std::runtime_error {
 public:
  Error(Fault fault, std::string_view where, std::string_view what)
      : std::runtime_error(one_line(fmt::format("[{}] {}", where, what))), fault_(fault) {}
  // With the message of another error, "[where] what", as what() gives it.
  static Error of_message(Fault fault, std::string_view message) { return {fault, message}; }

  Fault fault() const { return fault_; }

 private:
  Error(Fault fault, std::string_view message) : std::runtime_error(one_line(message)), fault_(fault) {}

  Fault fault_;
};

template <typename... Args>
[[noreturn]] void fail(std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(Fault::failed, where, fmt::format(format, std::forward<Args>(args)...));
}

// For input that a person gave: options, files, settings.
template <typename... Args>
[[noreturn]] void fail_usage(std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(Fault::usage, where, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void require(bool condition, std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(where, format, std::forward<Args>(args)...);
}

}  // namespace adwp
