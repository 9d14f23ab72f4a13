// What every training has in common: it runs in epochs, and can stop within one and go on to the same bits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/optim/optimizer.h"
#include "nas/training/loss_log.h"

namespace adwp::nas {

// How far an epoch is. With the weights and the optimizer's state, this is all that the epoch needs to go on:
// random numbers depend on the step only (framework/core/random.h).
struct EpochPosition {
  std::int64_t batches = 0;  // done
  double loss_sum = 0;       // of their losses

  // As facts of a checkpoint, "batches" and "loss_sum", and back; a checkpoint between two epochs has
  // neither.
  void write(std::map<std::string, std::string>& facts) const;
  static EpochPosition read(const std::map<std::string, std::string>& facts);
};

class Trainer {
 public:
  virtual ~Trainer() = default;

  // Trains epoch `epoch` (from 0) and returns its mean loss. The result depends on the weights and the
  // epoch's number only, so a run can go on from a checkpoint to the same bits, also within an epoch: `from`
  // is what position() was there. After each batch `progress` gets the fraction of the epoch that is done; it
  // may throw to stop the epoch.
  double run_epoch(std::int64_t epoch, const std::function<void(double)>& progress = {},
                   const EpochPosition& from = {});

  // For `progress`: where the epoch is (reads the device).
  EpochPosition position() { return {batches_done_, losses().sum()}; }
  // For `progress`: the mean loss of the epoch's steps, without the newest ones (does not read the device).
  std::optional<double> loss_so_far() { return losses().mean_so_far(); }

  virtual std::int64_t steps_per_epoch() const = 0;

  // What a checkpoint holds.
  virtual const nn::ParameterStore& parameters() = 0;
  virtual optim::Optimizer& optimizer() = 0;
  virtual std::vector<std::pair<std::string, Tensor>> further_tensors() { return {}; }

 protected:
  // Trains the batches of an epoch from number `first` on, and calls `done` after each with the number done.
  using Done = std::function<void(std::int64_t)>;
  virtual void run_batches(std::int64_t epoch, std::int64_t first, const Done& done) = 0;
  virtual LossLog& losses() = 0;
  virtual std::int64_t losses_per_batch() const { return 1; }

 private:
  std::int64_t batches_done_ = 0;  // of the epoch at hand
};

}  // namespace adwp::nas
