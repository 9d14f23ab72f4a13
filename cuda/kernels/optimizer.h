// Fused optimizers: one pass over the flat buffers a step. Formulas: framework/backend/backend.h.
#pragma once

#include "cuda/runtime/stream.h"
#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU::kernels {

void sgd_step(Stream stream, const SgdStep& step, const float* gradient, const float* norm2, float* velocity,
              float* parameter, std::int64_t n);
void adamw_step(Stream stream, const AdamWStep& step, const float* gradient, const float* norm2, float* first,
                float* second, float* parameter, std::int64_t n);

}  // namespace adwp::ADWP_GPU::kernels
