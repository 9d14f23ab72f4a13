// Trains one network from scratch: finalists, the rank sample, and the network that was chosen.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "data/loader.h"
#include "framework/optim/weight_average.h"
#include "framework/parallel/group.h"
#include "nas/evaluation/evaluator.h"
#include "nas/network/auxiliary_head.h"
#include "nas/network/macro_network.h"
#include "nas/training/drop_masks.h"
#include "nas/training/teacher.h"
#include "nas/training/trainer.h"
#include "nas/weights/parameter_weights.h"

namespace adwp::nas {

enum class OptimizerKind { sgd, adamw };

// Images of this size are trained on until that part of all epochs is over (rounded to whole epochs).
struct SizeStage {
  std::int64_t size = 0;  // height and width, smaller than the task's
  double until = 1;       // in (0, 1]
};

struct NetworkTrainingOptions {
  std::int64_t epochs = 20;
  std::int64_t batch = 64;
  std::int64_t micro_batches = 1;  // equal parts of a batch, each with its own batch statistics
  OptimizerKind optimizer = OptimizerKind::sgd;
  float learning_rate = 0.1f;
  float momentum = 0.9f;
  float weight_decay = 5e-3f;  // decoupled; see optim::Sgd
  float clip = 5;
  double warmup_epochs = 0.5;  // but a twentieth of all steps (to the next restart) at most
  std::int64_t cycles = 1;     // of the cosine
  // Whole epochs, increasing, after which warm-up and cosine begin anew. Up to the first a training is, to
  // the bit, the training that ends there; and so on.
  std::vector<std::int64_t> restarts = {};
  float average = 0;  // decay of the moving average of weights and statistics; 0: none is kept
  std::vector<SizeStage> progressive = {};  // sizes and ends rise; what is left has the task's size
  float label_smoothing = 0;
  bool trivial_augment = false;
  float erasing = 0;    // probability that a box of an image is erased
  Mixing mixing;        // of the images of a batch
  float drop_path = 0;  // probability of the last residual block; those before it, linearly less
  float dropout = 0;    // of each feature that the classifier sees
  float auxiliary = 0;  // weight of the auxiliary head's loss; 0: there is no such head
  std::shared_ptr<const StoredNetwork> teacher = {};  // to learn from; none: from labels alone
  float teaching = 0.5f, temperature = 4;             // see ClassTargets
  float norm_momentum = 0.1f;                         // running += momentum * (batch - running)
  Augmentation augmentation{.shift = 4, .flip = true, .cutout = 0};
  data::Sampling sampling = data::Sampling::each_once;
  std::uint64_t seed = 0;
};

class NetworkTrainer : public Trainer {
 public:
  // Takes parameters, moments and statistics from the arena; they stay there until the frame ends.
  NetworkTrainer(Backend& backend, Arena& arena, const NetworkPlan& plan, const data::DeviceImages& images,
                 const PixelNorm& norm, const NetworkTrainingOptions& options);

  float learning_rate(std::int64_t step) const;       // `step` counts over the whole training
  std::int64_t image_size(std::int64_t epoch) const;  // that is trained on; evaluations have the task's

  // Which weights: those of the last step, or their moving average (and that of the statistics).
  enum class Which { raw, averaged };
  // What the training is for: the averaged weights where there are some.
  Which best() const { return average_ ? Which::averaged : Which::raw; }

  // Loss and accuracy with running statistics, over all images of the set.
  Score evaluate(const data::DeviceImages& images, std::int64_t batch, Which which);
  Score evaluate(const data::DeviceImages& images, std::int64_t batch) {
    return evaluate(images, batch, best());
  }
  // Logits (N, classes) on normalised images (N, H, W, C), with running statistics.
  Variable infer(Tape& tape, const Tensor& images, Which which);
  Variable infer(Tape& tape, const Tensor& images) { return infer(tape, images, best()); }

  std::int64_t steps_per_epoch() const override { return loader_.batches(); }
  // Mean loss of the auxiliary head in the last epoch.
  std::optional<double> auxiliary_loss() const {
    return auxiliary_ && !epoch_losses().empty() ? std::optional(epoch_losses().back()) : std::nullopt;
  }
  const nn::ParameterStore& parameters() override { return weights_.parameters(); }
  optim::Optimizer& optimizer() override { return *optimizer_; }
  // The statistics; and under the names of all of them with "average." in front, their averages.
  std::vector<std::pair<std::string, Tensor>> further_tensors() override;
  TrainedWeights& weights() { return weights_; }
  RunningStatistics& statistics() { return statistics_; }

  // What a step sees: images (batch, H, W, C), which a teacher sees larger where the pupil's are made
  // smaller.
  struct Views {
    Tensor pupil, teacher;
  };
  // Computes, on given images (batch, H, W, C) and labels, the gradients of all parameters, the running
  // statistics and the loss (1), or where there is an auxiliary head (2): behind it that head's, without its
  // weight. This part of a step is the same each time, so devices replay it (framework/backend/replay.h).
  void compute_gradients(const Tensor& x, const Tensor& y, const Tensor& loss) {
    compute_gradients({x, x}, ClassTargets{.labels = y}, loss);
  }
  // The same with mixed labels; smoothing and teacher are the options'.
  void compute_gradients(const Views& x, ClassTargets targets, const Tensor& loss);
  // Computes them and updates the parameters; returns the losses, on the device. run_epoch adds loading,
  // mixing, schedule and log.
  Tensor train_step(const Views& x, const ClassTargets& targets, float learning_rate);
  Tensor train_step(const Tensor& x, const Tensor& y, float learning_rate) {
    return train_step({x, x}, {.labels = y}, learning_rate);
  }

  // Lets the ranks of a group train together, each some of the micro-batches: as many must divide evenly.
  // What comes out is the same, to the bit, on any number of ranks. All ranks call run_epoch with the same
  // epoch from the same state. `stop` is asked on each rank before a step is summed; stopping() then says on
  // all ranks whether any was told to.
  void share_with(parallel::Group& group, std::function<bool()> stop);
  bool stopping() const { return stopping_; }
  class StepNumbers;

  // Allocates what a trainer, one step and one evaluation batch allocate: for a dry pass in a counting arena.
  static void dry_run(Backend& backend, Arena& arena, const NetworkPlan& plan,
                      const data::DeviceImages& images, const PixelNorm& norm,
                      const NetworkTrainingOptions& options, std::int64_t evaluation_batch);

 private:
  void run_batches(std::int64_t epoch, std::int64_t first, const Done& done) override;
  LossLog& losses() override { return log_; }
  std::int64_t kinds_of_losses() const { return auxiliary_ ? 2 : 1; }

  // As compute_gradients, with the masks given, and leaves the batch's statistics in `statistics`, flat like
  // the running ones.
  void compute_part(const Views& x, ClassTargets targets, const Drops& drops, const Tensor& loss,
                    const Tensor& statistics);
  struct Parts;
  void run_micro_batches(std::int64_t epoch, std::int64_t first, const Done& done);
  void step_by_parts(std::int64_t step, Parts& parts);

  // Adds the sums of loss and hits over all images to `score` (2); everything stays on the device.
  void enqueue_evaluation(const data::DeviceImages& images, std::int64_t batch, const Tensor& score,
                          Which which);
  // Batch `batch` of the epoch at hand, as the options change images.
  struct Batch {
    Tensor changed, x, y;           // as loaded; u8 before that, where trivial_augment is
    Tensor mixed_x, others, share;  // where images are mixed
    Tensor small_x;                 // where they are made smaller, last of all
    const Tensor& large_x() const { return mixed_x.defined() ? mixed_x : x; }
    Views images() const { return {small_x.defined() ? small_x : large_x(), large_x()}; }
    ClassTargets targets() const { return {.labels = y, .others = others, .share = share}; }
  };
  Batch reserve_batch(std::int64_t image_size) const;
  void load(std::int64_t batch, const Batch& to);
  // Moves the parameters along their gradients, and the averages behind them.
  void update(float learning_rate);

  Backend& backend_;
  Arena& arena_;
  NetworkPlan plan_;
  NetworkTrainingOptions options_;
  PixelNorm norm_;
  std::optional<AuxiliaryHead> auxiliary_;
  TrainedWeights weights_;
  RunningStatistics statistics_;
  DropMasks drops_;
  std::optional<Teacher> teacher_;
  data::Loader loader_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  struct Averages {
    optim::WeightAverage weights, statistics;
  };
  std::optional<Averages> average_;
  LossLog log_;
  Tensor one_;               // (1): the gradient of the loss by itself
  Tensor auxiliary_weight_;  // (1, 1, 1, 1), where there is such a head
  parallel::Group alone_;
  parallel::Group* group_ = &alone_;
  std::function<bool()> stop_ = [] { return false; };
  bool stopping_ = false;
};

}  // namespace adwp::nas
