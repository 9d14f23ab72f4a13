// A fresh directory in TMPDIR that is removed, with all in it, when the object goes.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "framework/core/error.h"

namespace adwp::io {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    const std::filesystem::path place = std::filesystem::temp_directory_path();
    std::string name = (place / "adwpnas-XXXXXX").string();  // mkdtemp fills in the last six
    require(mkdtemp(name.data()) != nullptr, "file", "cannot make a folder in {}; set TMPDIR",
            place.string());
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace adwp::io
