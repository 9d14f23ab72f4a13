// Trains one network from scratch and reports its test error.
#include "apps/common/main.h"
#include "apps/common/run.h"
#include "apps/train/train_run.h"

namespace {

void train(int argc, char** argv) {
  using namespace adwp;
  apps::TrainOptions options;
  apps::Settings settings("train", "Trains one network from scratch and reports its test error.");
  apps::declare(settings, options);
  if (settings.parse(argc, argv)) apps::run_program<apps::TrainRun>(settings, options);
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, train); }
