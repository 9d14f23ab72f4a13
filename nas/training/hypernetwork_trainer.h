// Trains a weight source, the HyperNetwork or shared weights, on architectures sampled from the space.
//
// Each step samples architectures uniformly, of those within the limits, and takes their weights from the
// source. It runs each network forward and backward on one batch, and the gradient flows through the weights
// into the source. Training begins with shallow networks and lets the depth grow (a curriculum: Bengio et
// al., 2009): where all kernels are still random, a deep network passes little gradient on, and training
// stands still for epochs (docs/results/ranking.md).
#pragma once

#include "data/loader.h"
#include "nas/space/search_space.h"
#include "nas/training/trainer.h"
#include "nas/weights/weight_source.h"

namespace adwp::nas {

struct HyperTrainingOptions {
  std::int64_t epochs = 10;
  std::int64_t batch = 64;
  int architectures_per_step = 1;  // all on the step's batch; their gradients are averaged
  double growth = 0.5;             // fraction of all steps over which the depth grows to the space's; 0: none
  float learning_rate = 3e-3f;
  float weight_decay = 1e-4f;
  bool lazy = true;      // what a step does not use stays as it is (optim::AdamW)
  float clip = 5;        // most that the gradient's Euclidean norm may be
  double warmup = 0.05;  // fraction of all steps
  float label_smoothing = 0;
  Augmentation augmentation{.shift = 4, .flip = true, .cutout = 0};
  data::Sampling sampling = data::Sampling::each_once;
  Limits limits;  // of the networks that are sampled
  std::uint64_t seed = 0;
};

class HyperTrainer : public Trainer {
 public:
  HyperTrainer(Backend& backend, Arena& arena, WeightSource& source, const SearchSpace& space,
               const Task& task, const data::DeviceImages& images, const PixelNorm& norm,
               const HyperTrainingOptions& options);

  std::int64_t steps_per_epoch() const override { return loader_.batches(); }
  const nn::ParameterStore& parameters() override { return source_.parameters(); }
  optim::Optimizer& optimizer() override { return optimizer_; }
  std::int64_t images_per_epoch() const;  // that networks see: each architecture of a step sees its batch

  // Architecture `index` of a training step.
  Architecture sample(std::int64_t step, int index) const;

  // Updates the source by one network on given images (batch, H, W, C) and labels; returns the loss (1), on
  // the device. Benches time this; run_epoch adds sampling, loading, schedule and log.
  Tensor train_step(const NetworkPlan& plan, const Tensor& x, const Tensor& y, float learning_rate);

  // Allocates what a step on `plan` allocates and trains nothing: for a dry pass in a counting arena.
  void dry_step(Arena& arena, WeightSource& source, const NetworkPlan& plan);

 private:
  void run_batches(std::int64_t epoch, std::int64_t first, const Done& done) override;
  LossLog& losses() override { return log_; }
  std::int64_t losses_per_batch() const override { return options_.architectures_per_step; }

  void step(std::int64_t epoch, std::int64_t batch);
  // Adds `weight` times the gradient of the loss to the source's gradients; returns the loss (1).
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
};

}  // namespace adwp::nas
