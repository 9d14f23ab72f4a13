// What the files of the convolutions share: the shape as kernels take it, and depthwise convolution.
#pragma once

#include "cuda/cuda_backend.h"
#include "cuda/kernels/input_norm.cuh"
#include "cuda/kernels/tile_moments.cuh"

namespace adwp::ADWP_GPU {

// x (images, height, width, channels), w (filters, kernel, kernel, channels, or 1 where depthwise),
// y (images, out_height, out_width, filters).
struct ConvShape {
  std::int64_t images;
  int height, width, channels, out_height, out_width, filters, kernel, stride, padding;

  constexpr std::int64_t inputs() const { return images * height * width; }  // rows of x
  constexpr std::int64_t outputs() const { return images * out_height * out_width; }
  constexpr int taps() const { return kernel * kernel; }
  constexpr bool pointwise() const { return kernel == 1 && stride == 1 && padding == 0; }
};

inline ConvShape shape_of(const Conv2d& conv, const Shape& x, const Shape& w) {
  ConvShape s{};
  s.images = x[0];
  s.height = x[1];
  s.width = x[2];
  s.channels = x[3];
  s.out_height = conv.out_size(x[1]);
  s.out_width = conv.out_size(x[2]);
  s.filters = w[0];
  s.kernel = conv.kernel;
  s.stride = conv.stride;
  s.padding = conv.padding;
  return s;
}
inline ConvShape shape_of(const ConvForward& op) { return shape_of(op.conv, op.x.shape(), op.w.shape()); }
inline ConvShape shape_of(const ConvDgrad& op) {
  return shape_of(op.conv, op.dx.tensor.shape(), op.w.shape());
}
inline ConvShape shape_of(const ConvWgrad& op) {
  return shape_of(op.conv, op.x.shape(), op.dw.tensor.shape());
}

// Calls body.operator()<X, Y>() with the types in which x and y lie: both in one, or x in f32 and y in bf16.
template <typename Op, typename Body>
void dispatch_values(const Op& op, Body&& body) {
  if (op.x.dtype() == DType::bf16) return body.template operator()<Bf16, Bf16>();
  if (op.y.dtype() == DType::bf16) return body.template operator()<float, Bf16>();
  body.template operator()<float, float>();
}

// Forward passes of images of three channels in f32 (few_channels.cu), for shapes and outputs that it has
// code for; with moments of y where they are wanted.
bool has_few_channels(const ConvShape& shape, const ConvForward& op);
Tiles few_channels_tiles(const ConvShape& shape);
void convolve_few_channels(void* stream, const ConvShape& shape, const ConvForward& op,
                           const TileMoments& moments);
// Gradients by their kernels.
bool has_few_channels_wgrad(const ConvShape& shape);
std::int64_t few_channels_wgrad_scratch(const ConvShape& shape);  // floats
void few_channels_wgrad(void* stream, const ConvShape& shape, const ConvWgrad& op, float* scratch);

// Depthwise convolution (depthwise.cu).
// With moments of y where they are wanted. They, and norms of x that are pending, only where it has code.
bool depthwise_has_code(KernelLevel level, const ConvShape& shape);
bool depthwise_has_code(KernelLevel level, const ConvShape& shape, const ConvForward& op);
Tiles depthwise_tiles(const ConvShape& shape);
void depthwise(void* stream, KernelLevel level, const ConvForward& op, const TileMoments& moments = {});
void depthwise(void* stream, KernelLevel level, const ConvDgrad& op);
void depthwise(void* stream, KernelLevel level, const ConvWgrad& op, float* scratch);
std::int64_t depthwise_wgrad_scratch(const ConvShape& shape);  // floats

}  // namespace adwp::ADWP_GPU
