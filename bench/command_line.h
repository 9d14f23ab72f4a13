// How every program of this folder reads its command line and opens its device.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "apps/common/devices.h"
#include "framework/core/error.h"

namespace adwp::bench {

// False when help was asked for and printed; throws a usage Error for what CLI11 refuses.
inline bool parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) fail_usage("command line", "{}", error.what());
    fmt::print("{}", app.help());
    return false;
  }
  return true;
}

// Which device, and how it multiplies (apps/common/devices.h).
struct DeviceOptions {
  std::string device = "auto", precision = "f32", engine = "hand";
  int threads = 0;
};

inline void declare(CLI::App& app, DeviceOptions& options) {
  app.add_option("--device", options.device);
  app.add_option("--precision", options.precision)->check(CLI::IsMember({"f32", "tf32", "bf16"}));
  app.add_option("--engine", options.engine)->check(CLI::IsMember({"hand", "vendor", "auto"}));
  app.add_option("--threads", options.threads)->check(CLI::Range(0, 1024));
}

inline std::unique_ptr<Backend> open(const DeviceOptions& options) {
  return apps::devices(options.threads, options.precision, options.engine).open(options.device);
}

}  // namespace adwp::bench
