// Checkpoints: a parameter store, its optimizer and further tensors in one safetensors file.
//
// The metadata holds a checksum over all else in the file, which loading verifies: a flipped bit on a disk
// is found, not trained on.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/core/error.h"
#include "framework/io/safetensors.h"
#include "framework/nn/parameter_store.h"
#include "framework/optim/optimizer.h"

namespace adwp::io {

// Parameters stand by their own names; the optimizer's flat buffers as "optimizer.NAME", `extra` as
// given. `facts` go into the metadata, beside "optimizer.steps" and "checksum".
void save_checkpoint(const std::string& path, const nn::ParameterStore& store,
                     const optim::Optimizer* optimizer,
                     const std::vector<std::pair<std::string, Tensor>>& extra,
                     const std::map<std::string, std::string>& facts);

// A checkpoint as its file holds it.
struct StoredCheckpoint {
  std::string path;
  SafeTensors file;
};

// Throws Error when the file is damaged: no safetensors, or another checksum than its own.
StoredCheckpoint read_checkpoint(const std::string& path);
// The same for a file that need not be ours: it may do without a checksum.
StoredCheckpoint read_stored(const std::string& path);
void seal(SafeTensors& file);  // puts the checksum into the metadata

// NAME.previous.safetensors for NAME.safetensors.
std::string previous_checkpoint(const std::string& path);

// Puts a checkpoint that another process has saved, as its file's bytes, where CheckpointPair(path) finds it
// as its newest, and keeps the one before it.
void keep_checkpoint(const std::string& path, std::string_view bytes);

// Told of each damaged checkpoint, by its path.
using OnDamage = std::function<void(const std::string& path, const Error& error)>;

// The newest whole one of `path` and previous_checkpoint(path); nothing when there is none.
std::optional<StoredCheckpoint> read_newest(const std::string& path, const OnDamage& on_damage);

// The last two checkpoints of one training: `path`, and the one before it as previous_checkpoint(path). At
// every moment, also in the middle of a save, a whole one lies on the disk. Beside them, an interrupted run
// leaves NAME.interrupted.safetensors.
class CheckpointPair {
 public:
  using Facts = std::map<std::string, std::string>;
  using Report = std::function<void(const std::string&)>;

  CheckpointPair(std::string path, const nn::ParameterStore& store, optim::Optimizer* optimizer,
                 std::vector<std::pair<std::string, Tensor>> extra = {});

  void save(const Facts& facts) const;

  // For a run that stops within an epoch: beside the other two, which stay as they are. Gone with the next
  // save(), or when discarded.
  void save_interrupted(const Facts& facts) const;
  void discard_interrupted() const;

  // The file that load() would try first among those between epochs; nothing while there is none.
  std::optional<std::string> newest() const;

  // Restores the newest whole one (an interrupted one is newer than the others) and returns its facts;
  // nothing when there is none, or when it differs in one of `same`, the facts that say whose training it is.
  // A damaged one is moved to NAME.damaged.safetensors and `report` is told so in one line.
  std::optional<Facts> load(const Facts& same, const Report& report) const;

 private:
  std::string path_;
  const nn::ParameterStore& store_;
  optim::Optimizer* optimizer_;
  std::vector<std::pair<std::string, Tensor>> extra_;
};

}  // namespace adwp::io
