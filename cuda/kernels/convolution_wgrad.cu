// wgrad as an implicit GEMM: dw^T (R S C, K) = windows of x, transposed (R S C, N P Q), times dy (N P Q, K).
// Deep and narrow: k is split, and the splits' sums are added in ascending order.
#include "cuda/kernels/convolution_operands.cuh"

namespace adwp::ADWP_GPU::kernels {

std::int64_t conv2d_wgrad_scratch(const ConvShape& s) {
  return product_scratch(s.taps() * s.channels, s.filters, s.outputs());
}

void conv2d_wgrad(Stream stream, const ProductChoice& choice, const ConvShape& shape, const float* x,
                  const float* dy, float* dw, bool accumulate, float* scratch) {
  const std::int64_t rows = shape.taps() * shape.channels;
  const bool vector = shape.channels % 4 == 0 && shape.filters % 4 == 0;
  const Output out{dw, 1, rows, nullptr, Activation::none, accumulate};
  run_product<true>("conv2d_wgrad", stream, choice, vector, TransposedWindowOperand{x, shape},
                    MatrixOperand<false>{dy, shape.filters, shape.filters, shape.outputs()}, out,
                    {rows, shape.filters, shape.outputs()}, scratch);
}

}  // namespace adwp::ADWP_GPU::kernels
