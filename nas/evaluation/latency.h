// How long a network takes on the device in use, as it would be deployed: kernels as given, batch norm with
// given statistics, forward pass only. Loading images and predicting the kernels are not part of it.
#pragma once

#include <cstdint>

#include "framework/backend/backend.h"
#include "nas/space/network_plan.h"
#include "nas/weights/weight_source.h"

namespace adwp::nas {

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
