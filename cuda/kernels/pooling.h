// Pooling; formulas: framework/backend/backend.h. x (images, height, width, channels) to y (images, out,
// out, channels).
#pragma once

#include "cuda/runtime/stream.h"
#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU::kernels {

struct PoolShape {
  std::int64_t images, height, width, channels, out_height, out_width;
  int kernel, stride, padding;
};

void max_pool_forward(Stream stream, const PoolShape& shape, const float* x, float* y, std::int32_t* argmax);
void max_pool_backward(Stream stream, const PoolShape& shape, const float* dy, const std::int32_t* argmax,
                       float* dx, bool accumulate);
void average_pool_forward(Stream stream, const PoolShape& shape, const float* x, float* y);
void average_pool_backward(Stream stream, const PoolShape& shape, const float* dy, float* dx,
                           bool accumulate);
// (images, pixels, channels) to (images, channels), and back.
void global_pool_forward(Stream stream, const float* x, float* y, std::int64_t images, std::int64_t pixels,
                         std::int64_t channels);
void global_pool_backward(Stream stream, const float* dy, float* dx, bool accumulate, std::int64_t images,
                          std::int64_t pixels, std::int64_t channels);

}  // namespace adwp::ADWP_GPU::kernels
