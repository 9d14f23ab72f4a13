// Softmax cross-entropy and the counting of hits.
#include <algorithm>
#include <cmath>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {
namespace {

// log(sum(exp(row))), without overflow.
float log_sum_exp(const float* row, std::int64_t classes) {
  const float most = *std::max_element(row, row + classes);
  float sum = 0;
  for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(row[c] - most);
  return most + std::log(sum);
}

// -sum_c t_c log softmax_c, with t = (1 - smoothing) onehot + smoothing / classes
double smoothed_loss(const float* row, std::int64_t classes, std::int32_t label, float smoothing) {
  const float total = log_sum_exp(row, classes);
  double loss = (1.0 - smoothing) * (total - row[label]);
  if (smoothing > 0) {
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += total - row[c];
    loss += smoothing * sum / classes;
  }
  return loss;
}

}  // namespace

void CpuBackend::compute(const CrossEntropyForward& op, void*) {
  const std::int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
  const float* values = op.logits.data<float>();
  const std::int32_t* label = op.labels.data<std::int32_t>();
  double sum = 0;
  for (std::int64_t n = 0; n < rows; ++n) {
    sum += smoothed_loss(values + n * classes, classes, label[n], op.smoothing);
  }
  *op.loss.data<float>() = sum / rows;
}

void CpuBackend::compute(const CrossEntropyBackward& op, void*) {
  const std::int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
  const float* values = op.logits.data<float>();
  const std::int32_t* label = op.labels.data<std::int32_t>();
  float* out = op.dlogits.tensor.data<float>();
  const float share = *op.dloss.data<float>() / rows;
  const float rest = op.smoothing / classes;
  dispatch(op.dlogits.mode, [&]<bool accumulate>() {
    for (std::int64_t n = 0; n < rows; ++n) {
      const float* row = values + n * classes;
      const float total = log_sum_exp(row, classes);
      for (std::int64_t c = 0; c < classes; ++c) {
        const float target = rest + (c == label[n] ? 1.0f - op.smoothing : 0.0f);
        put<accumulate>(out[n * classes + c], share * (std::exp(row[c] - total) - target));
      }
    }
  });
}

void CpuBackend::compute(const CountHits& op, void*) {
  const std::int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
  const float* values = op.logits.data<float>();
  const std::int32_t* label = op.labels.data<std::int32_t>();
  double loss = 0;
  std::int64_t hits = 0;
  for (std::int64_t n = 0; n < rows; ++n) {
    const float* row = values + n * classes;
    loss += smoothed_loss(row, classes, label[n], 0);
    hits += std::max_element(row, row + classes) - row == label[n] ? 1 : 0;
  }
  float* out = op.score.data<float>();
  out[0] += static_cast<float>(loss);
  out[1] += static_cast<float>(hits);
}

}  // namespace adwp::cpu
