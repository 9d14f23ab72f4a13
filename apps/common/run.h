// What search and train have in common: the settings of a run, and what happens around it.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/devices.h"
#include "apps/common/main.h"
#include "apps/common/ranks.h"
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
  // are not flipped: those of `idx`), and by cutout of that side, a fraction of the image's, if it is not 0;
  // less what --no-flip and --no-shift forbid. Throws a usage Error for a name that --augment does not know.
  Augmentation augmentation(const data::DataSpec& spec, std::int64_t pixels, double cutout) const;
  // Throws a usage Error for what contradicts itself.
  void require_valid() const;
  data::Sampling sampling() const { return balanced ? data::Sampling::balanced : data::Sampling::each_once; }
};

// What becomes of training images, as a fact of the run (Settings::found): whatever words say it.
std::pair<std::string, std::string> augmentation_fact(const Augmentation& augmentation);

// Shows on the progress line how many images are read.
data::Reading reading_on(Progress& progress);

// Declares them all except for the batches, which belong to a program's own groups. `least_validation`: of
// the fraction that is held out.
void declare_run(Settings& settings, RunOptions& options, double least_validation);

// Lines `NAME = VALUE`, as facts "setting NAME".
std::vector<std::pair<std::string, std::string>> lines_of(const std::string& toml);

// Opens the device that this rank computes on. Ranks of one host share its cores, and each takes a GPU of its
// own. Collective. Tells `passed_over` of devices that are not usable, and why.
std::unique_ptr<Backend> open_device(parallel::Group& group, const RunOptions& options,
                                     std::vector<std::string>& passed_over);

// Opens the device and the run directory, and does the run, or goes on with it if its settings and what was
// found are the same. Run: constructed from (backend, options, directory), with found(), run(group) and
// summary(). Run::Helper: what the other ranks do, constructed from (backend, options), with found() and
// run(group). Rank 0 owns the directory.
template <typename Run, typename Options>
void run_program(Settings& settings, Options& options, parallel::Group& group) {
  using Facts = std::vector<std::pair<std::string, std::string>>;
  std::vector<std::string> passed_over;
  std::unique_ptr<Backend> backend;
  std::optional<RunDirectory> directory;
  std::optional<Run> run;
  std::optional<typename Run::Helper> helper;
  // No bit depends on these, but on what they name or come to, which is found.
  const std::vector<std::string> free{"out",       "data",    "architecture", "teacher",    "space",
                                      "latencies", "recipe",  "device",       "threads",    "augment",
                                      "no-shift",  "no-flip", "arena-mb",     "tensorboard"};
  require_same_facts(group, lines_of(settings.toml()));
  backend = open_device(group, options, passed_over);
  together(group, [&] {
    options.require_valid();  // before hours of reading
    if (group.rank() > 0) return;
    directory.emplace(options.out, options.resume);
    if (directory->resumes()) settings.require_same(directory->config(), free);  // before data is read
  });
  together(group, [&] {
    if (group.rank() > 0) {
      helper.emplace(*backend, options);
    } else {
      run.emplace(*backend, options, *directory);
    }
  });
  Facts facts = run ? run->found() : helper->found();
  std::erase_if(facts,
                [](const auto& fact) { return fact.first == "latencies" || fact.first == "budget-epochs"; });
  require_same_facts(group, facts);
  together(group, [&] {
    if (group.rank() > 0) return;
    for (const auto& [name, value] : run->found()) settings.found(name, value);
    if (directory->resumes()) {
      settings.require_same(directory->config(), free);
    } else {
      io::write_atomically(directory->config().string(), settings.toml());
    }
  });
  note_interrupts(settings.program(), directory ? directory->config() : std::filesystem::path(options.out));
  if (helper) return helper->run(group);
  // Behind all that may be refused: an error is one line.
  if (!options.quiet) {
    for (const std::string& line : passed_over) fmt::print(stderr, "{}\n", line);
  }
  run->run(group);
  fmt::print("{}", run->summary());
}

}  // namespace adwp::apps
