// How every program of this folder reads its command line.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>

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

}  // namespace adwp::bench
