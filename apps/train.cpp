// Trains one network from scratch and reports its test error.
#include <fmt/format.h>

#include "apps/common/devices.h"
#include "apps/common/main.h"
#include "apps/train/train_run.h"
#include "framework/io/atomic_file.h"

namespace {

void train(int argc, char** argv) {
  using namespace adwp;
  apps::TrainOptions options;
  apps::Settings settings("train", "Trains one network from scratch and reports its test error.");
  apps::declare(settings, options);
  if (!settings.parse(argc, argv)) return;
  const std::unique_ptr<Backend> backend =
      apps::devices(static_cast<int>(options.threads), options.precision, options.engine)
          .open(options.device);
  const apps::RunDirectory directory(options.out, options.resume);
  if (directory.resumes()) settings.require_same(directory.config(), {"threads", "arena-mb"});
  apps::TrainRun run(*backend, options, directory);
  if (!directory.resumes()) io::write_atomically(directory.config().string(), settings.toml());
  run.run();
  fmt::print("{}", run.summary());
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, train); }
