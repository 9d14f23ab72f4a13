// What search and train have in common: the settings of a run, and what happens around it.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/common/devices.h"
#include "apps/common/main.h"
#include "apps/common/run_directory.h"
#include "apps/common/settings.h"
#include "apps/common/terminal.h"
#include "data/loader.h"
#include "framework/io/atomic_file.h"

namespace adwp::apps {

struct RunOptions {
  std::string data, out, device = "auto", precision = "f32", engine = "hand";
  std::uint64_t seed = 0, arena_mb = 0;
  std::int64_t batch = 64, evaluation_batch = 500;
  int threads = 0;
  double validation = 0;
  std::string augment;
  bool no_flip = false, no_shift = false, balanced = false;
  bool tensorboard = false, resume = false, quiet = false;

  // How training images are changed: as --augment says, or by shift and flip (images of letters and digits
  // are not flipped: those of `idx`), and by cutout if the recipe has it; less what --no-flip and --no-shift
  // forbid. Throws a usage Error for a name that --augment does not know.
  Augmentation augmentation(const data::DataSpec& spec, std::int64_t pixels, bool cutout) const;
  // Throws a usage Error for what contradicts itself.
  void require_valid() const;
  data::Sampling sampling() const { return balanced ? data::Sampling::balanced : data::Sampling::each_once; }
};

// Shows on the progress line how many images are read.
data::Reading reading_on(Progress& progress);

// Declares them all except for the batches, which belong to a program's own groups. `least_validation`: of
// the fraction that is held out.
void declare_run(Settings& settings, RunOptions& options, double least_validation);

// Opens the device and the run directory, and does the run, or goes on with it if its settings and what was
// found are the same. Run: constructed from (backend, options, directory), with found(), run() and summary().
template <typename Run, typename Options>
void run_program(Settings& settings, const Options& options) {
  std::vector<std::string> passed_over;  // devices, and why
  const std::unique_ptr<Backend> backend =
      devices(options.threads, options.precision, options.engine)
          .open(options.device, [&](const std::string& line) { passed_over.push_back(line); });
  const RunDirectory directory(options.out, options.resume);
  options.require_valid();  // before hours of reading
  // No bit depends on these: the device is found, and data and architecture are known by their fingerprints.
  const std::vector<std::string> free{"out",     "data",     "architecture", "device",
                                      "threads", "arena-mb", "tensorboard"};
  if (directory.resumes()) settings.require_same(directory.config(), free);  // before data is read
  Run run(*backend, options, directory);
  for (const auto& [name, value] : run.found()) settings.found(name, value);
  if (directory.resumes()) {
    settings.require_same(directory.config(), free);
  } else {
    io::write_atomically(directory.config().string(), settings.toml());
  }
  // Behind all that may be refused: an error is one line.
  if (!options.quiet) {
    for (const std::string& line : passed_over) fmt::print(stderr, "{}\n", line);
  }
  note_interrupts(settings.program(), directory.config());
  run.run();
  fmt::print("{}", run.summary());
}

}  // namespace adwp::apps
