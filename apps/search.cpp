// Finds architectures: trains a HyperNetwork, evolves a population scored with predicted weights,
// trains the finalists for real.
#include "apps/common/main.h"
#include "apps/common/run.h"
#include "apps/search/search_run.h"

namespace {

void search(int argc, char** argv) {
  using namespace adwp;
  apps::SearchOptions options;
  apps::Settings settings("search", "Searches for convolutional networks by predicting their weights.");
  apps::declare(settings, options);
  if (settings.parse(argc, argv)) apps::run_program<apps::SearchRun>(settings, options);
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, search); }
