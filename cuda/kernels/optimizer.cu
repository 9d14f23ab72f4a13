// Optimizers, bound by memory: every buffer is read and written once. The gradient's norm stays on the
// device; each thread works out the clipping factor for itself.
#include "cuda/kernels/optimizer.h"

#include <cmath>

#include "cuda/kernels/math.cuh"

namespace adwp::ADWP_GPU::kernels {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

__device__ float clip_factor(float max_norm, const float* norm2) {
  if (max_norm <= 0) return 1;
  const float norm = sqrtf(*norm2);
  return norm > max_norm ? max_norm / norm : 1.0f;
}

__global__ void __launch_bounds__(threads_per_block)
    sgd(SgdStep step, const float* gradient, const float* norm2, float* velocity, float* parameter,
        std::int64_t n) {
  const float factor = clip_factor(step.max_norm, norm2);
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const float g = gradient[i] * factor, p = parameter[i];
    const float v = step.momentum * velocity[i] + g;
    const float move = step.nesterov ? g + step.momentum * v : v;
    const float decay = i < step.decayed ? step.weight_decay * p : 0.0f;
    velocity[i] = v;
    parameter[i] = p - step.learning_rate * (move + decay);
  }
}

__global__ void __launch_bounds__(threads_per_block)
    adamw(AdamWStep step, float correction1, float correction2, const float* gradient, const float* norm2,
          float* first, float* second, float* parameter, std::int64_t n) {
  const float factor = clip_factor(step.max_norm, norm2);
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const float g = gradient[i] * factor, p = parameter[i];
    const float m = first[i] + (1 - step.beta1) * (g - first[i]);
    const float v = second[i] + (1 - step.beta2) * (g * g - second[i]);
    const float move = m * correction1 / (sqrtf(v * correction2) + step.epsilon);
    const float decay = i < step.decayed ? step.weight_decay * p : 0.0f;
    first[i] = m;
    second[i] = v;
    parameter[i] = p - step.learning_rate * (move + decay);
  }
}

}  // namespace

// --- launchers ---------------------------------------------------------------------------------------

void sgd_step(Stream stream, const SgdStep& step, const float* gradient, const float* norm2, float* velocity,
              float* parameter, std::int64_t n) {
  launch("sgd_step", sgd, blocks_for(n), threads_per_block, 0, stream, step, gradient, norm2, velocity,
         parameter, n);
}

void adamw_step(Stream stream, const AdamWStep& step, const float* gradient, const float* norm2, float* first,
                float* second, float* parameter, std::int64_t n) {
  const auto t = static_cast<double>(step.step);
  const auto correction1 = static_cast<float>(1 / (1 - std::pow(static_cast<double>(step.beta1), t)));
  const auto correction2 = static_cast<float>(1 / (1 - std::pow(static_cast<double>(step.beta2), t)));
  launch("adamw_step", adamw, blocks_for(n), threads_per_block, 0, stream, step, correction1, correction2,
         gradient, norm2, first, second, parameter, n);
}

}  // namespace adwp::ADWP_GPU::kernels
