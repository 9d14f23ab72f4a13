// Trains one network from scratch and reports its test error.
#include "apps/common/ranks.h"
#include "apps/common/run.h"
#include "apps/train/train_run.h"

namespace {

void train(int argc, char** argv, adwp::parallel::Group& group) {
  using namespace adwp;
  apps::TrainOptions options;
  apps::Settings settings("train", "Trains one network from scratch and reports its test error.");
  apps::declare(settings, options);
  bool runs = false;
  apps::together(group, [&] { runs = settings.parse(argc, argv); });
  if (runs) apps::run_program<apps::TrainRun>(settings, options, group);
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_ranks(argc, argv, train); }
