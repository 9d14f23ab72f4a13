// Trains one network from scratch: finalists, the rank sample, and the network that was chosen.
#pragma once

#include "data/loader.h"
#include "framework/parallel/group.h"
#include "nas/evaluation/evaluator.h"
#include "nas/network/macro_network.h"
#include "nas/training/trainer.h"
#include "nas/weights/parameter_weights.h"

namespace adwp::nas {

struct NetworkTrainingOptions {
  std::int64_t epochs = 20;
  std::int64_t batch = 64;
  std::int64_t micro_batches = 1;  // equal parts of a batch, each with its own batch statistics
  float learning_rate = 0.1f;
  float momentum = 0.9f;
  float weight_decay = 5e-3f;  // decoupled; see optim::Sgd
  float clip = 5;
  double warmup_epochs = 0.5;  // but a twentieth of all steps at most
  float label_smoothing = 0;
  float norm_momentum = 0.1f;  // running += momentum * (batch - running)
  Augmentation augmentation{.shift = 4, .flip = true, .cutout = 0};
  data::Sampling sampling = data::Sampling::each_once;
  std::uint64_t seed = 0;
};

class NetworkTrainer : public Trainer {
 public:
  // Takes parameters, moments and statistics from the arena; they stay there until the frame ends.
  NetworkTrainer(Backend& backend, Arena& arena, const NetworkPlan& plan, const data::DeviceImages& images,
                 const PixelNorm& norm, const NetworkTrainingOptions& options);

  float learning_rate(std::int64_t step) const;  // `step` counts over the whole training

  // Loss and accuracy with running statistics, over all images of the set.
  Score evaluate(const data::DeviceImages& images, std::int64_t batch);
  // Logits (N, classes) on normalised images (N, H, W, C), with running statistics.
  Variable infer(Tape& tape, const Tensor& images);

  std::int64_t steps_per_epoch() const override { return loader_.batches(); }
  const nn::ParameterStore& parameters() override { return weights_.parameters(); }
  optim::Optimizer& optimizer() override { return optimizer_; }
  std::vector<std::pair<std::string, Tensor>> further_tensors() override {
    return {{"running_statistics", statistics_.flat()}};
  }
  TrainedWeights& weights() { return weights_; }
  RunningStatistics& statistics() { return statistics_; }

  // Computes, on given images (batch, H, W, C) and labels, the gradients of all parameters, the running
  // statistics and the loss (1). This part of a step is the same each time, so devices replay it
  // (framework/backend/replay.h).
  void compute_gradients(const Tensor& x, const Tensor& y, const Tensor& loss);
  // Computes them and updates the parameters; returns the loss, on the device. run_epoch adds loading,
  // schedule and log.
  Tensor train_step(const Tensor& x, const Tensor& y, float learning_rate);

  // Lets the ranks of a group train together, each some of the micro-batches: as many must divide evenly.
  // What comes out is the same, to the bit, on any number of ranks. All ranks call run_epoch with the same
  // epoch from the same state. `stop` is asked on each rank before a step is summed; stopping() then says on
  // all ranks whether any was told to.
  void share_with(parallel::Group& group, std::function<bool()> stop);
  bool stopping() const { return stopping_; }

  // Allocates what a trainer, one step and one evaluation batch allocate: for a dry pass in a counting arena.
  static void dry_run(Backend& backend, Arena& arena, const NetworkPlan& plan,
                      const data::DeviceImages& images, const PixelNorm& norm,
                      const NetworkTrainingOptions& options, std::int64_t evaluation_batch);

 private:
  void run_batches(std::int64_t epoch, std::int64_t first, const Done& done) override;
  LossLog& losses() override { return log_; }

  // As compute_gradients, but leaves the batch's statistics in `statistics`, flat like the running ones.
  void compute_part(const Tensor& x, const Tensor& y, const Tensor& loss, const Tensor& statistics);
  struct Parts;
  void run_micro_batches(std::int64_t epoch, std::int64_t first, const Done& done);
  void step_by_parts(std::int64_t step, Parts& parts);

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
  Tensor one_;  // (1): the gradient of the loss by itself
  parallel::Group alone_;
  parallel::Group* group_ = &alone_;
  std::function<bool()> stop_ = [] { return false; };
  bool stopping_ = false;
};

}  // namespace adwp::nas
