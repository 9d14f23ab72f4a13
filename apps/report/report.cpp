#include "apps/report/report.h"

#include "apps/report/page.h"
#include "apps/report/run_files.h"
#include "apps/report/search_data.h"
#include "apps/report/train_data.h"
#include "framework/io/atomic_file.h"

namespace adwp::apps {

std::string report_of(const std::filesystem::path& run) {
  const RunFiles files(run);
  return files.is_search() ? page_of("search", search_data(files)) : page_of("train", train_data(files));
}

std::filesystem::path write_report(const std::filesystem::path& run) {
  const std::filesystem::path path = run / "report.html";
  io::write_atomically(path.string(), report_of(run));
  return path;
}

}  // namespace adwp::apps
