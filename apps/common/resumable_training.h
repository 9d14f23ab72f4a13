// A training that survives kills, Ctrl-C and divergence. Every training of `search` and `train` runs here.
//
// It saves a checkpoint after each epoch, and goes on from the newest one that an earlier process saved, to
// the same bits. On Ctrl-C it saves within the epoch, and the next process goes on from the batch. When a
// loss is no longer finite, the error names the newest checkpoint that is still good.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "apps/common/main.h"
#include "apps/common/run_log.h"
#include "framework/io/checkpoint.h"
#include "nas/training/trainer.h"

namespace adwp::apps {

class ResumableTraining {
 public:
  using Facts = io::CheckpointPair::Facts;

  struct Job {
    std::filesystem::path checkpoint;
    std::int64_t epochs = 0;
    std::string resumed;        // how the message begins, e.g. "resumed HyperNetwork training"
    std::string learning_rate;  // the option that sets it, e.g. "--lr"
    Facts same;  // whose training it is: every checkpoint holds these, and one without is not used
    // Epochs of an earlier training that this one is known to go on from: to do so is not worth a message.
    std::int64_t goes_on_from = 0;
    bool saves_last_epoch = true;  // false: the caller keeps the outcome, so nothing is left to go on from
  };

  // What a training's owner does at each point. Only `show` is called after every batch.
  struct Hooks {
    // Returns what a checkpoint holds besides Job::same and the position; called before each is saved.
    std::function<Facts()> facts;
    // `epochs` are done, of them a fraction of the one at hand, whose mean loss so far is `loss`.
    std::function<void(double epochs, std::optional<double> loss)> show;
    // `epochs` are done, the last with mean loss `loss`, and their checkpoint is not saved yet: what this
    // writes to a log is there when the epoch is not trained again.
    std::function<void(std::int64_t epochs, double loss)> record;
    // The checkpoint is saved.
    std::function<void(std::int64_t epochs)> saved = {};
    // Whether to save and stop within the epoch; asked after every batch.
    std::function<bool()> stop = interrupted;
  };

  // Loads the newest checkpoint, if there is one, into the trainer's tensors, and says so.
  ResumableTraining(nas::Trainer& trainer, RunLog& log, Job job);

  // The facts of that checkpoint; nothing when the training starts anew.
  const std::optional<Facts>& loaded() const { return loaded_; }
  std::int64_t batches_done() const { return epochs_ * trainer_.steps_per_epoch() + within_.batches; }
  double epochs_done() const;

  // Trains the epochs that are not done. Throws Interrupted after Ctrl-C.
  void run(const Hooks& hooks);

 private:
  void train_epoch(const Hooks& hooks);
  Facts facts(const Hooks& hooks) const;

  nas::Trainer& trainer_;
  Job job_;
  io::CheckpointPair checkpoints_;
  std::optional<Facts> loaded_;
  std::int64_t epochs_ = 0;    // whole ones that are done
  nas::EpochPosition within_;  // where the first epoch goes on
};

// Calls `work`. Turns a nas::Diverged that it throws into an Error that also names the newest of
// `checkpoints`, and `option`, which sets the learning rate.
void or_last_good(const io::CheckpointPair& checkpoints, const std::string& option,
                  const std::function<void()>& work);

}  // namespace adwp::apps
