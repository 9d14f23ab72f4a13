// Finds architectures: trains a HyperNetwork, evolves a population scored with predicted weights,
// trains the finalists for real.
#include <fmt/format.h>

#include "apps/common/devices.h"
#include "apps/common/interrupt.h"
#include "apps/common/main.h"
#include "apps/search/search_run.h"
#include "framework/io/atomic_file.h"

namespace {

void search(int argc, char** argv) {
  using namespace adwp;
  apps::SearchOptions options;
  apps::Settings settings("search", "Searches for convolutional networks by predicting their weights.");
  apps::declare(settings, options);
  if (!settings.parse(argc, argv)) return;
  const std::unique_ptr<Backend> backend =
      apps::devices(static_cast<int>(options.threads), options.precision, options.engine)
          .open(options.device);
  const apps::RunDirectory directory(options.out, options.resume);
  // Of threads only their number counts, which is found with the device.
  const std::vector<std::string> free{"out", "device", "threads", "arena-mb", "tensorboard"};
  if (directory.resumes()) settings.require_same(directory.config(), free);  // before data is read
  apps::SearchRun run(*backend, options, directory);
  for (const auto& [name, value] : run.found()) settings.found(name, value);
  if (directory.resumes()) {
    settings.require_same(directory.config(), free);
  } else {
    io::write_atomically(directory.config().string(), settings.toml());
  }
  apps::note_interrupts();
  run.run();
  fmt::print("{}", run.summary());
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, search); }
