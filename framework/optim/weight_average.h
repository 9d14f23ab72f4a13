// Moving averages of what training changes (Polyak & Juditsky, 1992): steadier than the last step's values.
#pragma once

#include "framework/backend/backend.h"

namespace adwp::optim {

class WeightAverage {
 public:
  // Averages the elements of `source`, which must stay where it is; begins with what it holds.
  WeightAverage(Backend& backend, Arena& arena, const Tensor& source, float decay);

  // After step `step` (from 1): average += (1 - d) (source - average), d = min(decay, (1 + step) / (10 +
  // step)): the first values are soon forgotten.
  void update(std::int64_t step);
  const Tensor& values() const { return values_; }  // of the source's shape

 private:
  Backend& backend_;
  Tensor source_, values_;
  float decay_;
};

}  // namespace adwp::optim
