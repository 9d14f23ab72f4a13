#include "apps/common/main.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string_view>

#include "apps/common/interrupt.h"
#include "framework/core/error.h"

namespace adwp::apps {
namespace {

constexpr int interrupted_status = 130;  // 128 + SIGINT, as shells say it

int report(Fault fault, std::string_view message) {
  std::fflush(stdout);
  fmt::print(stderr, "error: {}\n", one_line(message));
  return static_cast<int>(fault);
}

// Threads of the cpu device wait for each other at every layer, spinning. By OpenMP's default they spin so
// long that on a machine with other work they keep off the core the very thread they wait for: a search of
// 2.5 s took 40 s beside two compilers, and takes 20 s with this; alone it is as fast as before (1,000 in its
// place: 14 s and 3.2 s). libgomp reads the variable when it is loaded, so the program starts over. Whoever
// has set a policy keeps it.
void wait_shortly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", "10000", 0) == 0) execv("/proc/self/exe", argv);  // returns if it cannot
}

}  // namespace

int run_main(int argc, char** argv, const std::function<void(int, char**)>& body) {
  if (argc > 0) wait_shortly(argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is then an error like a full disk
  try {
    body(argc, argv);
    require(std::fflush(stdout) == 0 && !std::ferror(stdout), "output",
            "cannot write to standard output; is the disk full?");
    return 0;
  } catch (const Interrupted& interrupted) {
    fmt::print(stderr, "interrupted: {}\n", interrupted.what());
    return interrupted_status;
  } catch (const Error& error) {
    return report(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    return report(Fault::failed, "[memory] the machine has no memory left; use a smaller --batch");
  } catch (const std::exception& error) {
    return report(Fault::failed, fmt::format("[internal] {}", error.what()));
  }
}

}  // namespace adwp::apps
