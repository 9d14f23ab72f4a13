// Softmax cross-entropy and the count of hits; formulas: framework/backend/backend.h.
// logits (rows, classes), labels (rows); `scratch`: reduction_scratch(rows, 2) floats.
#pragma once

#include "cuda/runtime/stream.h"
#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU::kernels {

void cross_entropy_forward(Stream stream, const float* logits, const std::int32_t* labels, float smoothing,
                           float* loss, float* scratch, std::int64_t rows, std::int64_t classes);
void cross_entropy_backward(Stream stream, const float* dloss, const float* logits,
                            const std::int32_t* labels, float smoothing, float* dlogits, bool accumulate,
                            std::int64_t rows, std::int64_t classes);
// score (2) += {sum of cross-entropy, hits}.
void count_hits(Stream stream, const float* logits, const std::int32_t* labels, float* score, float* scratch,
                std::int64_t rows, std::int64_t classes);

}  // namespace adwp::ADWP_GPU::kernels
