// Forward and dgrad as implicit GEMMs (tile_product.cuh, convolution_operands.cuh):
//   y  (N P Q, K) = windows of x (N P Q, R S C) w^T
//   dx (N H W, C) = gradients that reach a pixel (N H W, R S K) w, rearranged to (R S K, C)
#include "cuda/kernels/convolution_operands.cuh"

namespace adwp::ADWP_GPU::kernels {

std::int64_t conv2d_forward_scratch(const ConvShape& s) {
  return product_scratch(s.outputs(), s.filters, s.taps() * s.channels);
}
std::int64_t conv2d_dgrad_scratch(const ConvShape& s) {
  return product_scratch(s.inputs(), s.channels, s.taps() * s.filters);
}

bool has_moments(const ProductChoice& choice, const ConvShape& s) {
  return choice.level == Level::fast && product_splits(s.outputs(), s.filters, s.taps() * s.channels) == 1;
}
std::int64_t conv2d_moments(const ConvShape& s) {
  return (s.outputs() + tile_m - 1) / tile_m * 3 * s.filters;
}

namespace {

template <typename Out>
void forward(Stream stream, const ProductChoice& choice, const ConvShape& shape, const float* x,
             const float* w, const Out& out, float* scratch) {
  const std::int64_t depth = shape.taps() * shape.channels;
  const bool vector = shape.channels % 4 == 0;
  run_product<true>("conv2d_forward", stream, choice, vector, WindowOperand{x, shape},
                    MatrixOperand<true>{w, depth, shape.filters, depth}, out,
                    {shape.outputs(), shape.filters, depth}, scratch);
}

Output output_to(float* y, const ConvShape& shape) {
  return {y, shape.filters, 1, nullptr, Activation::none, false};
}

}  // namespace

void conv2d_forward(Stream stream, const ProductChoice& choice, const ConvShape& shape, const float* x,
                    const float* w, float* y, float* scratch) {
  forward(stream, choice, shape, x, w, output_to(y, shape), scratch);
}

void conv2d_forward_moments(Stream stream, const ProductChoice& choice, const ConvShape& shape,
                            const float* x, const float* w, float* y, float* moments) {
  forward(stream, choice, shape, x, w, OutputWithMoments{output_to(y, shape), moments}, nullptr);
}

void conv2d_dgrad(Stream stream, const ProductChoice& choice, const ConvShape& shape, const float* dy,
                  const float* w, float* dx, bool accumulate, float* scratch) {
  const std::int64_t depth = shape.taps() * shape.filters;
  const bool vector = shape.channels % 4 == 0 && shape.filters % 4 == 0;
  const Output out{dx, shape.channels, 1, nullptr, Activation::none, accumulate};
  run_product<false>("conv2d_dgrad", stream, choice, vector, GradientOperand{dy, shape},
                     KernelOperand{w, shape}, out, {shape.inputs(), shape.channels, depth}, scratch);
}

}  // namespace adwp::ADWP_GPU::kernels
