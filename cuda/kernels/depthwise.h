// Depthwise convolution, kernel 3, 5 or 7 (any, slower), stride 1 or 2.
// x (images, height, width, channels), w (channels, kernel, kernel), y (images, out_height, out_width,
// channels).
#pragma once

#include "cuda/kernels/product.h"
#include "cuda/runtime/stream.h"

namespace adwp::ADWP_GPU::kernels {

struct DepthwiseShape {
  std::int64_t images;
  int height, width, channels, out_height, out_width, kernel, stride, padding;
};

void depthwise_forward(Stream stream, Level level, const DepthwiseShape& shape, const float* x,
                       const float* w, float* y);
void depthwise_dgrad(Stream stream, Level level, const DepthwiseShape& shape, const float* dy, const float* w,
                     float* dx, bool accumulate);
// `scratch`: depthwise_wgrad_scratch(shape) floats.
void depthwise_wgrad(Stream stream, Level level, const DepthwiseShape& shape, const float* x, const float* dy,
                     float* dw, bool accumulate, float* scratch);
std::int64_t depthwise_wgrad_scratch(const DepthwiseShape& shape);

}  // namespace adwp::ADWP_GPU::kernels
