// Scores networks on a held-out split with the weights of a source, without finetuning.
//
// Prediction, assembly, forward passes and the counting of hits stay on the device; the host reads
// one table for all networks of a call. Where that changes no bit (Backend::batch_invariant), as many
// networks are predicted together as there is room for, most_together at most. Batch norm uses the statistics
// of the batch at hand, each network its own. Where a device records work, the batches of a network are
// recorded once and replayed (framework/backend/replay.h).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/loader.h"
#include "framework/backend/backend.h"
#include "nas/space/network_plan.h"
#include "nas/weights/weight_source.h"

namespace adwp::nas {

struct Score {
  double loss = 0;      // mean cross-entropy
  double accuracy = 0;  // fraction of hits
};

class Evaluator {
 public:
  static constexpr std::size_t most_together = 16;

  // `images`: the held-out split on the device. Batches are equal in size, at most `batch`, and
  // their number is fixed: a few images may be left out so that no batch is smaller (statistics of
  // a small batch are poor). Takes room for `most_networks` rows of counters from the arena.
  Evaluator(Backend& backend, Arena& arena, const data::DeviceImages& images, const PixelNorm& norm,
            std::int64_t batch, std::int64_t most_networks);

  // One score per network, in order, of the same bits in any company. Throws when a loss is not finite,
  // naming the network. `between` is called before each network; it may throw to stop there.
  std::vector<Score> evaluate(WeightSource& source, std::span<const NetworkPlan> plans,
                              const std::function<void()>& between = {});

  std::int64_t images_per_network() const { return batch_ * batches_; }
  std::int64_t batch() const { return batch_; }

  // The work of networks that are predicted together, without its result: what a dry pass runs in a counting
  // arena. Adds to `scores` (networks, 2).
  void enqueue(Arena& arena, WeightSource& source, std::span<const NetworkPlan> plans, const Tensor& scores,
               const std::function<void()>& between = {});

 private:
  std::size_t together(WeightSource& source, std::span<const NetworkPlan> plans);
  void run_batches(Arena& arena, const NetworkPlan& plan, const NetworkWeights& weights, const Tensor& score);

  Backend& backend_;
  Arena& arena_;
  std::int64_t batch_ = 0;
  std::int64_t batches_ = 0;
  data::Loader loader_;
  Tensor table_;  // (networks, 2): sum of cross-entropy, hits
};

// How long a network takes on the device in use, as it would be deployed: kernels as given, batch norm with
// given statistics, forward pass only. Loading images and predicting the kernels are not part of it.

class LatencyMeter {
 public:
  // A few runs warm up (kernels and primitives are made, graphs recorded); the median of those after counts.
  static constexpr int warm_up = 3;
  static constexpr int runs_of_one = 15;  // with one image
  static constexpr int runs_of_many = 5;  // with more

  // Kernels come from `source`; what they hold does not matter to the time.
  LatencyMeter(Backend& backend, Arena& arena, WeightSource& source)
      : backend_(backend), arena_(arena), source_(source) {}

  // Microseconds for `batch` images by the device's clock. Memory: about as much as evaluating such a batch;
  // where the same network was laid out for training (NetworkTrainer::dry_run with evaluations of this batch)
  // it fits, for that holds gradients and the optimizer's state besides.
  double measure(const NetworkPlan& plan, std::int64_t batch);

 private:
  Backend& backend_;
  Arena& arena_;
  WeightSource& source_;
};

}  // namespace adwp::nas
