// Updates of flat buffers.
#include <algorithm>
#include <cmath>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {
namespace {

float clip_factor(const Tensor& norm2, float max_norm) {
  if (max_norm <= 0) return 1.0f;
  const float norm = std::sqrt(*norm2.data<float>());
  return norm > max_norm ? max_norm / norm : 1.0f;
}

}  // namespace

void CpuBackend::compute(const SumOfSquares& op, void* workspace) {
  const std::int64_t count = op.x.elements(), parts = part_count(count, 4096);
  const float* in = op.x.data<float>();
  auto* partial = static_cast<double*>(workspace);
  parallel_for(parts, std::max<std::int64_t>(1, parts * 16384 / std::max<std::int64_t>(count, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t part = begin; part < end; ++part) {
                   double squares = 0;
                   const std::int64_t last = count * (part + 1) / parts;
#pragma omp simd reduction(+ : squares)
                   for (std::int64_t i = count * part / parts; i < last; ++i) {
                     const double value = in[i];
                     squares += value * value;
                   }
                   partial[part] = squares;
                 }
               });
  double total = 0;
  for (std::int64_t part = 0; part < parts; ++part) total += partial[part];
  *op.sum.data<float>() = total;
}

void CpuBackend::compute(const SgdStep& op, void*) {
  const float clip = clip_factor(op.norm2, op.rule.max_norm);
  const float rate = op.rule.learning_rate, momentum = op.rule.momentum;
  const float* g = op.gradient.data<float>();
  float* v = op.velocity.data<float>();
  float* p = op.parameter.data<float>();
  parallel_for(op.parameter.elements(), 16384, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float decay = i < op.rule.decayed ? rate * op.rule.weight_decay : 0.0f;
      const float clipped = clip * g[i];
      v[i] = momentum * v[i] + clipped;
      const float update = op.rule.nesterov ? clipped + momentum * v[i] : v[i];
      p[i] -= rate * update + decay * p[i];
    }
  });
}

void CpuBackend::compute(const AdamWStep& op, void*) {
  const float clip = clip_factor(op.norm2, op.rule.max_norm);
  const double t = op.rule.step;
  // p -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
  const float rate = op.rule.learning_rate / (1.0 - std::pow(op.rule.beta1, t));
  const float correction = 1.0 / (1.0 - std::pow(op.rule.beta2, t));
  const float beta1 = op.rule.beta1, beta2 = op.rule.beta2, epsilon = op.rule.epsilon;
  const bool lazy = op.rule.lazy;
  const float* g = op.gradient.data<float>();
  float* m = op.first.data<float>();
  float* v = op.second.data<float>();
  float* p = op.parameter.data<float>();
  parallel_for(op.parameter.elements(), 16384, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float decay = i < op.rule.decayed ? op.rule.learning_rate * op.rule.weight_decay : 0.0f;
      const float clipped = clip * g[i];
      const float first = m[i] + (1.0f - beta1) * (clipped - m[i]);
      const float second = v[i] + (1.0f - beta2) * (clipped * clipped - v[i]);
      const float moved = p[i] - (rate * first / (std::sqrt(second * correction) + epsilon) + decay * p[i]);
      const bool stays = lazy && g[i] == 0.0f;
      m[i] = stays ? m[i] : first;
      v[i] = stays ? v[i] : second;
      p[i] = stays ? p[i] : moved;
    }
  });
}

}  // namespace adwp::cpu
