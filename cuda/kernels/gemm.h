// C (M, N) = act(op(A) op(B) + bias), or C += op(A) op(B); row-major f32; a batch of them, one behind the
// other.
#pragma once

#include "cuda/kernels/product.h"
#include "cuda/runtime/stream.h"
#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU::kernels {

struct GemmShape {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
  std::int64_t batch = 1;
  bool bias_each = false;  // bias is (batch, n), not (n)
};
// `scratch`: product_scratch(m, n, k, batch) floats. bias may be null.
void gemm(Stream stream, const ProductChoice& choice, const GemmShape& shape, const float* a, const float* b,
          const float* bias, Activation act, float* c, bool accumulate, float* scratch);

}  // namespace adwp::ADWP_GPU::kernels
