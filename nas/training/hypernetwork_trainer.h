// Trains a weight source on architectures sampled from the space (DESIGN: ADWPNAS, section "search").
//
// Every step samples architectures uniformly, takes their weights from the source, assembles each
// network, runs it forward and backward on a batch, and lets the gradient flow through the weights
// into the source. Works for the HyperNetwork and for shared weights alike.
#pragma once

#include <cstdint>
#include <functional>

#include "data/loader.h"
#include "framework/optim/optimizer.h"
#include "nas/space/search_space.h"
#include "nas/training/epoch_position.h"
#include "nas/training/loss_log.h"
#include "nas/weights/weight_source.h"

namespace adwp::nas {

struct HyperTrainingOptions {
  std::int64_t epochs = 10;
  std::int64_t batch = 64;
  int architectures_per_step = 1;  // each on the step's batch; their gradients are averaged
  float learning_rate = 3e-3f;
  float weight_decay = 1e-4f;
  float clip = 5;        // Euclidean norm of the gradient
  double warmup = 0.05;  // fraction of all steps
  float label_smoothing = 0;
  Augmentation augmentation{.shift = 4, .flip = true, .cutout = 0};
  std::uint64_t seed = 0;
};

class HyperTrainer {
 public:
  HyperTrainer(Backend& backend, Arena& arena, WeightSource& source, const SearchSpace& space,
               const Task& task, const data::DeviceImages& images, const PixelNorm& norm,
               const HyperTrainingOptions& options);

  // Trains epoch `epoch` (from 0) and returns its mean loss. Epochs depend on their number alone
  // (and on the weights), so a run can go on from a checkpoint to the same bits, also within an epoch,
  // `from` where position() was. `progress` is told the fraction of the epoch that is done after every
  // batch; it may throw to stop there.
  double run_epoch(std::int64_t epoch, const std::function<void(double)>& progress = {},
                   const EpochPosition& from = {});

  // For `progress`: where the epoch is (reads the device), and its mean loss up to a short while ago.
  EpochPosition position() { return {batches_done_, log_.sum()}; }
  std::optional<double> loss_so_far() const { return log_.mean_so_far(); }

  std::int64_t steps_per_epoch() const { return loader_.batches(); }
  std::int64_t images_per_epoch() const;  // images that networks saw: batches x architectures
  optim::Optimizer& optimizer() { return optimizer_; }

  // The architectures of a training step.
  Architecture sample(std::int64_t step, int index) const;

  // One update by one network on given images (batch, H, W, C) and labels; returns the loss (1), on
  // the device. What `bench` times; run_epoch is this with sampling, loading, schedule and log.
  Tensor train_step(const NetworkPlan& plan, const Tensor& x, const Tensor& y, float learning_rate);

  // The memory of one step on `plan`, without its effect: what a dry pass runs.
  void dry_step(Arena& arena, WeightSource& source, const NetworkPlan& plan);

 private:
  void step(std::int64_t epoch, std::int64_t batch);
  // Adds `weight` times the loss's gradient to the source's; the loss (1).
  Tensor add_gradient(const NetworkPlan& plan, const Tensor& x, const Tensor& y, float weight);
  Variable loss_of(Tape& tape, WeightSource& source, const NetworkPlan& plan, const Tensor& x,
                   const Tensor& y) const;

  Backend& backend_;
  Arena& arena_;
  WeightSource& source_;
  const SearchSpace& space_;
  Task task_;
  HyperTrainingOptions options_;
  data::Loader loader_;
  optim::AdamW optimizer_;
  LossLog log_;
  std::int64_t batches_done_ = 0;  // of the epoch at hand
};

}  // namespace adwp::nas
