#include "apps/common/trained_run.h"

#include <cstdio>
#include <filesystem>

#include "framework/core/error.h"

namespace adwp::apps {

io::StoredCheckpoint trained_network(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) fail_usage("network", "no such file or run directory, got '{}'", path);
  if (!fs::is_directory(path, ignored)) return io::read_stored(path);
  std::string damage;
  auto newest = io::read_newest((fs::path(path) / "checkpoints" / "network.safetensors").string(),
                                [&](const std::string&, const Error& error) {
                                  damage += (damage.empty() ? "" : "; ") + std::string(error.what());
                                });
  if (newest) {
    if (!damage.empty()) fmt::print(stderr, "warning: {}; using {}, saved before it\n", damage, newest->path);
    return std::move(*newest);
  }
  if (!damage.empty()) fail("network", "no whole checkpoint in {}: {}", path, damage);
  fail_usage("network",
             "no trained network, got '{}' without checkpoints/network.safetensors, expected a run "
             "of train; train the best.json of a search with train --architecture",
             path);
}

}  // namespace adwp::apps
