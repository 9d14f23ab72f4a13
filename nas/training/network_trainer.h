// Trains one network from scratch: finalists, the rank sample, and the network that was chosen.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "data/loader.h"
#include "framework/optim/optimizer.h"
#include "nas/evaluation/evaluator.h"
#include "nas/network/macro_network.h"
#include "nas/training/epoch_position.h"
#include "nas/training/loss_log.h"
#include "nas/weights/trained_weights.h"

namespace adwp::nas {

struct NetworkTrainingOptions {
  std::int64_t epochs = 20;
  std::int64_t batch = 64;
  float learning_rate = 0.1f;
  float momentum = 0.9f;
  float weight_decay = 5e-3f;  // decoupled; see optim::Sgd
  float clip = 5;
  double warmup_epochs = 0.5;
  float label_smoothing = 0;
  float norm_momentum = 0.1f;  // running += momentum * (batch - running)
  Augmentation augmentation{.shift = 4, .flip = true, .cutout = 0};
  std::uint64_t seed = 0;
};

class NetworkTrainer {
 public:
  // Parameters, moments and statistics are taken from the arena (and stay until the trainer and its
  // frame are gone).
  NetworkTrainer(Backend& backend, Arena& arena, const NetworkPlan& plan, const data::DeviceImages& images,
                 const PixelNorm& norm, const NetworkTrainingOptions& options);

  // Trains epoch `epoch` (from 0); mean loss. Depends on the epoch's number and the state alone, and may go
  // on within it, `from` where position() was. `progress` is told the fraction that is done after every
  // batch; it may throw to stop there.
  double run_epoch(std::int64_t epoch, const std::function<void(double)>& progress = {},
                   const EpochPosition& from = {});

  // For `progress`: where the epoch is (reads the device), and its mean loss up to a short while ago.
  EpochPosition position() { return {batches_done_, log_.sum()}; }
  std::optional<double> loss_so_far() const { return log_.mean_so_far(); }
  float learning_rate(std::int64_t step) const;  // of one of all steps of the training

  // Loss and accuracy with running statistics, over all images of the set.
  Score evaluate(const data::DeviceImages& images, std::int64_t batch);
  // Logits (N, classes) on normalised images (N, H, W, C), with running statistics.
  Variable infer(Tape& tape, const Tensor& images);

  std::int64_t steps_per_epoch() const { return loader_.batches(); }
  TrainedWeights& weights() { return weights_; }
  RunningStatistics& statistics() { return statistics_; }
  optim::Optimizer& optimizer() { return optimizer_; }
  const NetworkPlan& plan() const { return plan_; }

  // Of a step on given images (batch, H, W, C) and labels, all that is the same each time and that devices
  // replay (framework/backend/replay.h): the gradients of all parameters, the running statistics, and the
  // loss (1).
  void compute_gradients(const Tensor& x, const Tensor& y, const Tensor& loss);
  // That and the update; returns the loss, on the device. run_epoch is this with loading, schedule and log.
  Tensor train_step(const Tensor& x, const Tensor& y, float learning_rate);

  // Lays out a trainer, one step and one evaluation batch in a counting arena: for a dry pass.
  static void dry_run(Backend& backend, Arena& arena, const NetworkPlan& plan,
                      const data::DeviceImages& images, const PixelNorm& norm,
                      const NetworkTrainingOptions& options, std::int64_t evaluation_batch);

 private:
  // Adds the sums of loss and hits over all images to `score` (2); everything stays on the device.
  void enqueue_evaluation(const data::DeviceImages& images, std::int64_t batch, const Tensor& score);

  Backend& backend_;
  Arena& arena_;
  NetworkPlan plan_;
  NetworkTrainingOptions options_;
  PixelNorm norm_;
  TrainedWeights weights_;
  RunningStatistics statistics_;
  data::Loader loader_;
  optim::Sgd optimizer_;
  LossLog log_;
  std::int64_t batches_done_ = 0;  // of the epoch at hand
  Tensor one_;                     // (1): the gradient of the loss by itself
};

}  // namespace adwp::nas
