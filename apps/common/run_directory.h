// The directory of one run: where each file lies. No run writes over another.
//
//   config.toml   all settings and the version             result.json   the figures of the run
//   log.jsonl     what happened, one JSON object per line  report.html   the same for people
//   search.db     every evaluated architecture             best.json     the chosen architecture
//   checkpoints/  *.safetensors                            tensorboard/  event files, with --tensorboard
//   test.json     a training's answers on the test split, for its report
// docs/run_store.md says how a run goes on from them.
//
// Files are written with io::write_atomically, so that a reader finds them whole.
#pragma once

#include <filesystem>
#include <string>

#include "framework/io/checkpoint.h"

namespace adwp::apps {

class RunDirectory {
 public:
  // Creates `path`, with its parents, or takes an empty directory. With `resume`, takes the
  // directory of a run, also of one that ended before it wrote its settings. Throws a usage Error
  // for a used directory without `resume`, for one that holds no run with it, for a path that
  // cannot be written, and while another process works in it. Removes files that a killed process left
  // half written.
  RunDirectory(std::filesystem::path path, bool resume);
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  // Whether a run stands here already: its settings were written.
  bool resumes() const { return resumes_; }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.toml"; }
  std::filesystem::path log() const { return path_ / "log.jsonl"; }
  std::filesystem::path database() const { return path_ / "search.db"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path network() const { return checkpoints() / "network.safetensors"; }  // of train
  std::filesystem::path tensorboard() const { return path_ / "tensorboard"; }
  std::filesystem::path result() const { return path_ / "result.json"; }
  std::filesystem::path report() const { return path_ / "report.html"; }
  std::filesystem::path best() const { return path_ / "best.json"; }

 private:
  std::filesystem::path path_;
  bool resumes_ = false;
  int lock_ = -1;  // the directory's file descriptor, locked while this object lives
};

// Finds a trained network by what a person types: the newest whole checkpoint of a run of `train`, or the
// file `path`. Leaves a damaged checkpoint in its place and names it on standard error. Throws a usage Error
// when there is none, an Error when none is whole.
io::StoredCheckpoint trained_network(const std::string& path);

}  // namespace adwp::apps
