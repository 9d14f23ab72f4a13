// Shows what is inside an architecture, a search space, or a data set.
#include <fmt/core.h>

#include "apps/common/main.h"
#include "apps/common/settings.h"
#include "apps/inspect/views.h"
#include "framework/core/error.h"
#include "nas/export/export.h"

namespace {

using namespace adwp;

struct Options {
  std::string what, space, data;
  std::int64_t image = 0, classes = 0, sample = 8;
  std::uint64_t seed = 0;
  bool json = false, dot = false;
};

void declare(apps::Settings& settings, Options& o) {
  settings.argument(o.what, "ARCHITECTURE|RUN_DIR",
                    "An architecture's JSON file, a run of train, or a run of search (its best)");
  settings.text("space", o.space, "tiny|cifar|FILE", "A search space instead");
  settings.text("data", o.data, "SPEC",
                "A data set instead: its classes, sizes, and what is left out of it, file by file");
  settings.integer("image", o.image, "Height and width of the images; 0: the run's, else 32", 0, 4096);
  settings.integer("classes", o.classes, "Classes; 0: the run's, else 10", 0, 10'000);
  settings.flag("json", o.json, "Print JSON");
  settings.flag("dot", o.dot, "Print an architecture as Graphviz text");
  settings.integer("sample", o.sample, "Random architectures of a space", 0, 10'000);
  settings.integer("seed", o.seed, "Seed of that sample", 0, 1'000'000'000);
}

void inspect(int argc, char** argv) {
  Options options;
  apps::Settings settings("inspect", "Shows what is inside an architecture, a search space or a data set.");
  declare(settings, options);
  if (!settings.parse(argc, argv)) return;
  const int asked = !options.what.empty() + !options.space.empty() + !options.data.empty();
  if (asked != 1) {
    fail_usage("inspect", "got {}, expected either an architecture, --space or --data; see inspect --help",
               asked == 0 ? "nothing to inspect" : "more than one");
  }
  if (options.dot && (options.json || options.what.empty())) {
    fail_usage("inspect", "--dot draws one architecture, got {} as well; leave out one of them",
               options.json           ? "--json"
               : options.data.empty() ? "--space"
                                      : "--data");
  }
  if (!options.data.empty()) {
    fmt::print("{}", options.json ? apps::data_as_json(options.data) : apps::data_as_text(options.data));
    return;
  }
  if (!options.space.empty()) {
    const nas::Task task{options.image > 0 ? options.image : 32, 3,
                         options.classes > 0 ? options.classes : 10};
    const apps::SpaceView view(nas::SearchSpace::open(options.space), task, options.sample, options.seed);
    fmt::print("{}", options.json ? view.json() : view.text());
    return;
  }
  const nas::NetworkPlan plan = apps::open_plan(options.what, options.image, options.classes);
  fmt::print("{}", options.dot    ? nas::to_dot(plan)
                   : options.json ? apps::layers_as_json(plan)
                                  : apps::layers_as_text(plan));
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, inspect); }
