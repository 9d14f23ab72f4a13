// The files of apps/report/page and Chart.js, as embed.cmake put them into this binary.
#pragma once

#include <string_view>
#include <vector>

namespace adwp::apps {

struct PageFile {
  std::string_view name, text;
};

const std::vector<PageFile>& page_files();

}  // namespace adwp::apps
