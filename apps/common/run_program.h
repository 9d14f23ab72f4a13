// What search and train do around their run.
#pragma once

#include <fmt/core.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/common/devices.h"
#include "apps/common/interrupt.h"
#include "apps/common/run_directory.h"
#include "apps/common/run_options.h"
#include "framework/io/atomic_file.h"

namespace adwp::apps {

// Opens the device and the run directory, and carries the run out, or goes on with it if its settings and
// what was found are the same. Run: made of (backend, options, directory), with found(), run() and summary().
template <typename Run, typename Options>
void run_program(Settings& settings, const Options& options) {
  const std::unique_ptr<Backend> backend =
      devices(static_cast<int>(options.threads), options.precision, options.engine).open(options.device);
  const RunDirectory directory(options.out, options.resume);
  // Of threads only their number counts, which is found with the device.
  const std::vector<std::string> free{"out", "device", "threads", "arena-mb", "tensorboard"};
  if (directory.resumes()) settings.require_same(directory.config(), free);  // before data is read
  Run run(*backend, options, directory);
  for (const auto& [name, value] : run.found()) settings.found(name, value);
  if (directory.resumes()) {
    settings.require_same(directory.config(), free);
  } else {
    io::write_atomically(directory.config().string(), settings.toml());
  }
  note_interrupts();
  run.run();
  fmt::print("{}", run.summary());
}

}  // namespace adwp::apps
