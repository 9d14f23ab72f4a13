// Softmax cross-entropy and the counting of hits.
#include <algorithm>
#include <cmath>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {
namespace {

// log(sum(exp(scale * row))), without overflow.
float log_sum_exp(const float* row, std::int64_t classes, float scale = 1) {
  const float most = *std::max_element(row, row + classes);
  float sum = 0;
  for (std::int64_t c = 0; c < classes; ++c) sum += std::exp((row[c] - most) * scale);
  return most * scale + std::log(sum);
}

// The targets of a batch, row by row.
struct Rows {
  explicit Rows(const ClassTargets& t)
      : labels(t.labels.data<std::int32_t>()),
        others(t.others.defined() ? t.others.data<std::int32_t>() : labels),
        shares(t.share.defined() ? t.share.data<float>() : nullptr),
        teacher(t.teacher.defined() ? t.teacher.data<float>() : nullptr),
        smoothing(t.smoothing),
        cool(1 / t.temperature),
        teaching(teacher != nullptr ? t.teaching : 0) {}

  float share(std::int64_t n) const { return shares != nullptr ? shares[n] : 1.0f; }

  const std::int32_t *labels, *others;
  const float *shares, *teacher;
  float smoothing, cool, teaching;
};

// -sum_c t_c log softmax_c, t as ClassTargets says
double label_loss(const float* row, std::int64_t classes, const Rows& rows, std::int64_t n) {
  const float total = log_sum_exp(row, classes);
  double hit = total - row[rows.labels[n]];
  if (rows.shares != nullptr) {
    hit = rows.share(n) * hit + (1.0 - rows.share(n)) * (total - row[rows.others[n]]);
  }
  double loss = (1.0 - rows.smoothing) * hit;
  if (rows.smoothing > 0) {
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += total - row[c];
    loss += rows.smoothing * sum / classes;
  }
  return loss;
}

// T^2 KL(q || softmax(row / T)); q from the teacher's row
double teacher_loss(const float* row, const float* teacher, std::int64_t classes, float cool) {
  const float total = log_sum_exp(row, classes, cool), told = log_sum_exp(teacher, classes, cool);
  double sum = 0;
  for (std::int64_t c = 0; c < classes; ++c) {
    const float q = teacher[c] * cool - told;
    sum += std::exp(q) * (q - (row[c] * cool - total));
  }
  return sum / (cool * cool);
}

}  // namespace

void CpuBackend::compute(const CrossEntropyForward& op, void*) {
  const std::int64_t count = op.logits.shape()[0], classes = op.logits.shape()[1];
  const float* values = op.logits.data<float>();
  const Rows rows(op.targets);
  double sum = 0;
  for (std::int64_t n = 0; n < count; ++n) {
    const float* row = values + n * classes;
    const double loss = label_loss(row, classes, rows, n);
    sum += rows.teaching > 0
               ? (1.0 - rows.teaching) * loss +
                     rows.teaching * teacher_loss(row, rows.teacher + n * classes, classes, rows.cool)
               : loss;
  }
  *op.loss.data<float>() = sum / count;
}

void CpuBackend::compute(const CrossEntropyBackward& op, void*) {
  const std::int64_t count = op.logits.shape()[0], classes = op.logits.shape()[1];
  const float* values = op.logits.data<float>();
  const Rows rows(op.targets);
  float* out = op.dlogits.tensor.data<float>();
  const float factor = *op.dloss.data<float>() / count;
  const float rest = rows.smoothing / classes;
  dispatch(op.dlogits.mode, [&]<bool accumulate>() {
    for (std::int64_t n = 0; n < count; ++n) {
      const float* row = values + n * classes;
      const float* teacher = rows.teacher + n * classes;
      const float total = log_sum_exp(row, classes), share = rows.share(n);
      const float cooled = rows.teaching > 0 ? log_sum_exp(row, classes, rows.cool) : 0;
      const float told = rows.teaching > 0 ? log_sum_exp(teacher, classes, rows.cool) : 0;
      for (std::int64_t c = 0; c < classes; ++c) {
        const float first = c == rows.labels[n] ? share : 0.0f;
        const float second = c == rows.others[n] ? 1.0f - share : 0.0f;
        const float target = rest + (first + second) * (1.0f - rows.smoothing);
        float slope = std::exp(row[c] - total) - target;
        if (rows.teaching > 0) {
          const float apart = std::exp(row[c] * rows.cool - cooled) - std::exp(teacher[c] * rows.cool - told);
          slope = (1.0f - rows.teaching) * slope + rows.teaching / rows.cool * apart;
        }
        put<accumulate>(out[n * classes + c], factor * slope);
      }
    }
  });
}

void CpuBackend::compute(const CountHits& op, void*) {
  const std::int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
  const float* values = op.logits.data<float>();
  const Rows labels({.labels = op.labels});
  double loss = 0;
  std::int64_t hits = 0;
  for (std::int64_t n = 0; n < rows; ++n) {
    const float* row = values + n * classes;
    loss += label_loss(row, classes, labels, n);
    hits += std::max_element(row, row + classes) - row == labels.labels[n] ? 1 : 0;
  }
  float* out = op.score.data<float>();
  out[0] += static_cast<float>(loss);
  out[1] += static_cast<float>(hits);
}

}  // namespace adwp::cpu
