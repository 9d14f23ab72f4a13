#include "apps/common/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

namespace fs = std::filesystem;

// Does the directory hold nothing but what a run leaves that failed before its settings were
// written (wrong data, a full disk)?
bool only_beginnings(const fs::path& path) {
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    const bool early = name == "log.jsonl" || name == "checkpoints";
    const bool temporary = name.starts_with("config.toml.");
    if (!temporary && !(early && fs::is_empty(entry.path()))) return false;
  }
  return true;
}

// A kill in the middle of io::write_atomically leaves NAME.tmpPID, which nobody will finish.
void remove_temporaries(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension();
    const bool temporary = extension.starts_with(".tmp") && extension.size() > 4 &&
                           extension.find_first_not_of("0123456789", 4) == std::string::npos;
    if (temporary) found.push_back(entry.path());
  }
  for (const fs::path& path : found) fs::remove(path);
}

void create(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    fail_usage("out", "cannot create the run directory '{}': {}; choose another --out", path.string(),
               error.message());
  }
}

}  // namespace

RunDirectory::RunDirectory(fs::path path, bool resume) : path_(std::move(path)) {
  std::error_code ignored;
  const bool exists = fs::exists(path_, ignored);
  if (exists && !fs::is_directory(path_)) {
    fail_usage("out",
               "not a directory, got '{}', expected a new or empty directory; choose another "
               "--out",
               path_.string());
  }
  if (!exists && resume) {
    fail_usage("out",
               "nothing to resume, got '{}', expected the directory of a run; leave out "
               "--resume to start one",
               path_.string());
  }
  create(path_);
  lock_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0 || access(path_.c_str(), W_OK | X_OK) != 0) {
    const std::string reason = std::generic_category().message(errno);
    if (lock_ >= 0) close(lock_);
    fail_usage("out", "cannot write into '{}': {}; choose another --out", path_.string(), reason);
  }
  try {
    if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      fail_usage("out", "'{}' is in use by another process; wait for it or choose another --out",
                 path_.string());
    }
    resumes_ = resume && fs::exists(config());
    if (!resume && !only_beginnings(path_)) {
      fail_usage("out",
                 "the directory is used, got '{}', expected a new or empty one; continue its "
                 "run with --resume or choose another --out",
                 path_.string());
    }
    if (resume && !resumes_ && !only_beginnings(path_)) {
      fail_usage("out",
                 "no run to resume, got '{}' without config.toml, expected the directory of a "
                 "run",
                 path_.string());
    }
    create(checkpoints());
    remove_temporaries(path_);
    remove_temporaries(checkpoints());
  } catch (...) {
    close(lock_);
    throw;
  }
}

RunDirectory::~RunDirectory() { close(lock_); }

io::StoredCheckpoint trained_network(const std::string& path) {
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
