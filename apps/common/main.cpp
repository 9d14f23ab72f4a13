#include "apps/common/main.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <string>

#include "apps/common/interrupt.h"
#include "framework/core/error.h"

namespace adwp::apps {
namespace {

constexpr int interrupted_status = 130;  // 128 + SIGINT, as shells say it

int report(Fault fault, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fflush(stdout);
  fmt::print(stderr, "error: {}\n", message);
  return static_cast<int>(fault);
}

}  // namespace

int run_main(int argc, char** argv, const std::function<void(int, char**)>& body) {
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
