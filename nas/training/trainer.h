// What every training shares: its losses, and epochs that can stop and go on.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/backend/backend.h"
#include "framework/core/error.h"
#include "framework/optim/optimizer.h"

namespace adwp::nas {

// The losses of training steps, which stay on the device and are read once in a window of steps.
//
// To read a loss after each step would make the host wait for the device each time. So a small buffer on the
// device collects the losses of a window; at its end the host reads, checks and adds them.

// A loss is NaN or Inf: training has diverged, and to go on would only spoil what was saved.
class Diverged : public Error {
 public:
  explicit Diverged(std::string what)
      : Error(Fault::failed, "training", what), description_(std::move(what)) {}
  const std::string& description() const { return description_; }  // without `[where]`

 private:
  std::string description_;
};

class LossLog {
 public:
  static constexpr std::int64_t window = 64;  // steps between two readings

  // A step has `kinds` losses, first the one that is trained for.
  explicit LossLog(Arena& arena, std::int64_t kinds = 1);

  // Takes the losses (kinds) of one step, and reads the window when it is full. Throws Diverged when one is
  // not finite; `what`, which is called only then, names the step for the message.
  void add(const Tensor& losses, std::function<std::string()> what);

  // Reads what is pending and returns the mean losses since the last call (0 with no steps).
  std::vector<double> means();

  // Reads what is pending and returns the sums that means() would divide. An epoch that goes on from these
  // sums comes to the same means, to the bit, because losses are added one by one in their order. None: 0
  // each.
  std::vector<double> sums();
  void go_on(std::vector<double> sums, std::int64_t count);
  // The mean of the first losses that were read: costs nothing, and lags behind by up to a window. Nothing at
  // first.
  std::optional<double> mean_so_far() const;

 private:
  void read();

  std::int64_t kinds_;
  Tensor losses_;                                      // (window, kinds)
  std::vector<std::function<std::string()>> pending_;  // names of the steps that are not read
  std::vector<double> sums_;
  std::int64_t count_ = 0;
};

// How far an epoch is. With the weights and the optimizer's state, this is all that the epoch needs to go on:
// random numbers depend on the step only (framework/core/random.h).
struct EpochPosition {
  std::int64_t batches = 0;       // done
  std::vector<double> loss_sums;  // of their losses, a kind after the other

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
  EpochPosition position() { return {batches_done_, losses().sums()}; }
  // For `progress`: the mean loss of the epoch's steps, without the newest ones (does not read the device).
  std::optional<double> loss_so_far() { return losses().mean_so_far(); }
  // Mean losses of the last epoch; run_epoch returned the first.
  const std::vector<double>& epoch_losses() const { return epoch_losses_; }

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
  std::vector<double> epoch_losses_;
};

}  // namespace adwp::nas
