// Dense convolution as implicit GEMM; formulas: framework/backend/specs.h (Conv2d).
// x (images, height, width, channels), w (filters, kernel, kernel, channels), y (images, out_height,
// out_width, filters).
#pragma once

#include "cuda/kernels/product.h"
#include "cuda/runtime/stream.h"

namespace adwp::ADWP_GPU::kernels {

struct ConvShape {
  std::int64_t images;
  int height, width, channels, out_height, out_width, filters, kernel, stride, padding;

  constexpr std::int64_t inputs() const { return images * height * width; }  // rows of x
  constexpr std::int64_t outputs() const { return images * out_height * out_width; }
  constexpr std::int64_t taps() const { return static_cast<std::int64_t>(kernel) * kernel; }
};

void conv2d_forward(Stream stream, const ProductChoice& choice, const ConvShape& shape, const float* x,
                    const float* w, float* y, float* scratch);
void conv2d_dgrad(Stream stream, const ProductChoice& choice, const ConvShape& shape, const float* dy,
                  const float* w, float* dx, bool accumulate, float* scratch);
void conv2d_wgrad(Stream stream, const ProductChoice& choice, const ConvShape& shape, const float* x,
                  const float* dy, float* dw, bool accumulate, float* scratch);
// Forward, leaving the moments of every tile of rows of y (tile_moments.cuh): (tiles, 3, filters). By the
// fast kernel alone, and not where k is split, for then no block holds the whole sums: has_moments.
bool has_moments(const ProductChoice& choice, const ConvShape& shape);
std::int64_t conv2d_moments(const ConvShape& shape);  // floats
void conv2d_forward_moments(Stream stream, const ProductChoice& choice, const ConvShape& shape,
                            const float* x, const float* w, float* y, float* moments);
// Floats of scratch: forward, dgrad, wgrad.
std::int64_t conv2d_forward_scratch(const ConvShape& shape);
std::int64_t conv2d_dgrad_scratch(const ConvShape& shape);
std::int64_t conv2d_wgrad_scratch(const ConvShape& shape);

}  // namespace adwp::ADWP_GPU::kernels
