#include "apps/common/interrupt.h"

#include <fmt/core.h>

#include <atomic>
#include <csignal>
#include <cstddef>

namespace adwp::apps {
namespace {

std::atomic<bool> signalled = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch nothing else");

}  // namespace

void note_interrupts() {
  // On a stack of its own: generated code in oneDNN (2.6, AVX-512) lets the stack pointer stand elsewhere for
  // moments, and a handler called then would write over the heap. Signals to a process go to its main thread.
  alignas(16) static std::byte room[64 << 10];
  stack_t stack = {};
  stack.ss_sp = room;
  stack.ss_size = sizeof room;
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_handler = [](int) { signalled = true; };
  action.sa_flags = SA_RESTART | SA_RESETHAND | SA_ONSTACK;
  for (int signal : {SIGINT, SIGTERM}) {
    struct sigaction old = {};
    // A program started with `nohup` or by a script in the background is told to ignore them.
    if (sigaction(signal, nullptr, &old) == 0 && old.sa_handler != SIG_IGN) {
      sigaction(signal, &action, nullptr);
    }
  }
}

bool interrupted() { return signalled; }

void stop_if_interrupted(const std::string& program, const std::filesystem::path& config) {
  if (!interrupted()) return;
  throw Interrupted(
      fmt::format("what is done is saved; go on with `{} --config {} --resume`", program, config.string()));
}

}  // namespace adwp::apps
