// Optimizers, bound by memory: every buffer is read and written once. The gradient's norm stays on the
// device; each thread works out the clipping factor for itself.
#include <cmath>

#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

__device__ float clip_factor(float max_norm, const float* norm2) {
  if (max_norm <= 0) return 1;
  const float norm = sqrtf(*norm2);
  return norm > max_norm ? max_norm / norm : 1.0f;
}

__global__ void __launch_bounds__(threads_per_block)
    sgd(SgdRule rule, const float* gradient, const float* norm2, float* velocity, float* parameter,
        std::int64_t n) {
  const float factor = clip_factor(rule.max_norm, norm2);
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const float g = gradient[i] * factor, p = parameter[i];
    const float v = rule.momentum * velocity[i] + g;
    const float move = rule.nesterov ? g + rule.momentum * v : v;
    const float decay = i < rule.decayed ? rule.weight_decay * p : 0.0f;
    velocity[i] = v;
    parameter[i] = p - rule.learning_rate * (move + decay);
  }
}

// Left alone, ptxas aims at 32 registers, and spills.
__global__ void __launch_bounds__(threads_per_block, 4)
    adamw(AdamWRule rule, float correction1, float correction2, const float* gradient, const float* norm2,
          float* first, float* second, float* parameter, std::int64_t n) {
  const float factor = clip_factor(rule.max_norm, norm2);
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    if (rule.lazy && gradient[i] == 0) continue;
    const float g = gradient[i] * factor, p = parameter[i];
    const float m = first[i] + (1 - rule.beta1) * (g - first[i]);
    const float v = second[i] + (1 - rule.beta2) * (g * g - second[i]);
    const float move = m * correction1 / (sqrtf(v * correction2) + rule.epsilon);
    const float decay = i < rule.decayed ? rule.weight_decay * p : 0.0f;
    first[i] = m;
    second[i] = v;
    parameter[i] = p - rule.learning_rate * (move + decay);
  }
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const SgdStep& op, void*) {
  const std::int64_t n = op.parameter.elements();
  launch(op.name, sgd, blocks_for(n), threads_per_block, 0, stream(), op.rule, floats(op.gradient),
         floats(op.norm2), floats(op.velocity), floats(op.parameter), n);
}

void GpuBackend::compute(const AdamWStep& op, void*) {
  const std::int64_t n = op.parameter.elements();
  const double step = op.rule.step, beta1 = op.rule.beta1, beta2 = op.rule.beta2;
  const float correction1 = 1 / (1 - std::pow(beta1, step)), correction2 = 1 / (1 - std::pow(beta2, step));
  launch(op.name, adamw, blocks_for(n), threads_per_block, 0, stream(), op.rule, correction1, correction2,
         floats(op.gradient), floats(op.norm2), floats(op.first), floats(op.second), floats(op.parameter), n);
}

}  // namespace adwp::ADWP_GPU
