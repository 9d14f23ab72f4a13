#include "apps/common/trained_run.h"

#include <filesystem>

#include "framework/core/error.h"

namespace adwp::apps {

std::string checkpoint_of(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) fail_usage("network", "no such file or run directory, got '{}'", path);
  if (!fs::is_directory(path, ignored)) return path;
  const fs::path checkpoint = fs::path(path) / "checkpoints" / "network.safetensors";
  if (!fs::exists(checkpoint, ignored)) {
    fail_usage("network",
               "no trained network, got '{}' without checkpoints/network.safetensors, expected a run "
               "of train; train the best.json of a search with train --architecture",
               path);
  }
  return checkpoint.string();
}

}  // namespace adwp::apps
