// Writes report.html for a run of `search` or `train`, finished or not.
#include <fmt/core.h>

#include "apps/common/main.h"
#include "apps/common/settings.h"
#include "apps/report/report.h"

namespace {

void report(int argc, char** argv) {
  using namespace adwp;
  std::string run;
  apps::Settings settings("report", "Writes report.html for a run of search or train, finished or not.");
  settings.argument(run, "RUN_DIR", "A run directory of search or train", apps::Settings::Presence::required);
  if (settings.parse(argc, argv)) fmt::print("{}\n", apps::write_report(run).string());
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, report); }
