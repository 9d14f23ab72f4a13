#include "framework/optim/weight_average.h"

#include <algorithm>

namespace adwp::optim {

WeightAverage::WeightAverage(Backend& backend, Arena& arena, const Tensor& source, float decay)
    : backend_(backend), source_(source), values_(arena, source.shape()), decay_(decay) {
  values_.copy_from(source);
}

void WeightAverage::update(std::int64_t step) {
  const double d = std::min<double>(decay_, (1.0 + step) / (10.0 + step));
  backend_.compute(Lerp{source_, static_cast<float>(1 - d), values_});
}

}  // namespace adwp::optim
