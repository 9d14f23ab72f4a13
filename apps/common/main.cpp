#include "apps/common/main.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string_view>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

std::atomic<bool> signalled = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch nothing else");
std::string how_to_go_on;  // what an Interrupted says

// The threads of the cpu device wait for each other at every layer, spinning. By OpenMP's default they spin
// so long that, on a machine with other work, they keep the thread they wait for off the core: a search
// of 2.5 s took 40 s beside two compilers, and takes 20 s with this; on an idle machine it is as fast as
// before (with 1,000 instead: 14 s and 3.2 s). libgomp reads the variable when it is loaded, so the program
// starts again. It does not do so for someone who has set a policy.
void wait_shortly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", "10000", 0) != 0) return;
  // By its real path: started as /proc/self/exe, the program would be called "exe" in `ps`, `top` and
  // `killall`.
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) execv(program.c_str(), argv);
  // execv returned: the file is gone or has moved. The program goes on without the setting.
}

}  // namespace

int run_main(int argc, char** argv, const std::function<void(int, char**)>& body) {
  if (argc > 0) wait_shortly(argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is then an error like a full disk
  const Ending ending = ending_of([&] {
    body(argc, argv);
    require(std::fflush(stdout) == 0 && !std::ferror(stdout), "output",
            "cannot write to standard output; is the disk full?");
  });
  if (ending.code == 0) return 0;
  std::fflush(stdout);
  fmt::print(stderr, "{}: {}\n", ending.code == interrupted_status ? "interrupted" : "error",
             one_line(ending.reason));
  return ending.code;
}

Ending ending_of(const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (const Interrupted& interrupted) {
    return {interrupted_status, interrupted.what()};
  } catch (const Error& error) {
    return {static_cast<int>(error.fault()), error.what()};
  } catch (const std::bad_alloc&) {
    return {1, "[memory] the machine has no memory left; use a smaller --batch"};
  } catch (const std::exception& error) {
    return {1, fmt::format("[internal] {}", error.what())};
  }
}

void note_interrupts(const std::string& program, const std::filesystem::path& config) {
  how_to_go_on =
      fmt::format("what is done is saved; go on with `{} --config {} --resume`", program, config.string());
  // The handler has a stack of its own: generated code in oneDNN (2.6, AVX-512) points the stack pointer
  // elsewhere for moments, and a handler called then would write over the heap. The main thread gets the
  // signals to a process.
  alignas(16) static std::byte room[64 << 10];
  stack_t stack = {};
  stack.ss_sp = room;
  stack.ss_size = sizeof room;
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_handler = [](int) { signalled = true; };
  action.sa_flags = SA_RESTART | SA_RESETHAND | SA_ONSTACK;
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {  // SIGHUP: its terminal or connection is gone
    struct sigaction old = {};
    // A program that `nohup` or a script in the background starts is told to ignore them.
    if (sigaction(signal, nullptr, &old) == 0 && old.sa_handler != SIG_IGN) {
      sigaction(signal, &action, nullptr);
    }
  }
}

bool interrupted() { return signalled; }

void stop_if_interrupted(bool known) {
  if (known || interrupted()) throw Interrupted(how_to_go_on);
}

}  // namespace adwp::apps
