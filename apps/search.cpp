// Finds architectures: trains a HyperNetwork, evolves a population scored with predicted weights,
// trains the finalists for real.
#include "apps/common/ranks.h"
#include "apps/common/run.h"
#include "apps/search/search_run.h"

namespace {

void search(int argc, char** argv, adwp::parallel::Group& group) {
  using namespace adwp;
  apps::SearchOptions options;
  apps::Settings settings("search", "Searches for convolutional networks by predicting their weights.");
  apps::declare(settings, options);
  bool runs = false;
  apps::together(group, [&] { runs = settings.parse(argc, argv); });
  if (runs) apps::run_program<apps::SearchRun>(settings, options, group);
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_ranks(argc, argv, search); }
