#include "course/common/report.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

namespace adwp::course {
namespace {

// What a process that has checked a task ends with. Any other code: the answer has ended it.
constexpr int right_answer = 100, wrong_answer = 101;

// In the child: runs the check and says how it went. Never returns.
[[noreturn]] void run(const std::string& name, const std::function<std::string()>& check, int seconds) {
  alarm(static_cast<unsigned>(seconds));
  int status = wrong_answer;
  try {
    const std::string remark = check();
    fmt::print("pass   {}{}{}\n", name, remark.empty() ? "" : ": ", remark);
    status = right_answer;
  } catch (const std::exception& error) {
    fmt::print("wrong  {}: {}\n", name, error.what());
  } catch (...) {
    fmt::print("wrong  {}: the answer throws something that is no std::exception\n", name);
  }
  std::fflush(nullptr);
  _exit(status);
}

std::string reason(int signal, int seconds) {
  if (signal == SIGALRM)
    return fmt::format("does not end within {} s; is there a loop without an end?", seconds);
  return fmt::format("the answer crashed ({}); an access out of bounds, or a pointer to nothing?",
                     strsignal(signal));
}

}  // namespace

void Report::task(const std::string& name, const std::function<std::string()>& check, int seconds) {
  const std::string full = fmt::format("{}. {}", ++tasks_, name);
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) run(full, check, seconds);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) throw std::runtime_error("no process can be started");
  if (WIFSIGNALED(status)) fmt::print("wrong  {}: {}\n", full, reason(WTERMSIG(status), seconds));
  if (!WIFEXITED(status)) return;
  if (const int code = WEXITSTATUS(status); code == right_answer) {
    ++passed_;
  } else if (code != wrong_answer) {
    fmt::print("wrong  {}: the answer ends the program, with exit code {}; it must return\n", full, code);
  }
}

int Report::end() const {
  fmt::print("{}: {} of {} tasks pass\n", lab_, passed_, tasks_);
  return passed() ? 0 : 1;
}

}  // namespace adwp::course
