// GEMM by cuBLAS.
#pragma once

#include "cuda/runtime/vendor_products.h"
#include "cuda/vendor/functions.h"

namespace adwp::cuda::vendor {

// Products in f32, in TF32, or with operands rounded to bf16 on their way (CUBLAS_COMPUTE_32F_FAST_16BF);
// bias and activation by a kernel of ours behind it. One stream and a workspace of one size make the same
// shape give the same bits.
class Gemm {
 public:
  Gemm(Stream stream, Precision precision);
  ~Gemm();
  Gemm(const Gemm&) = delete;
  Gemm& operator=(const Gemm&) = delete;

  // As VendorProducts::gemm.
  bool run(const kernels::GemmShape& shape, const float* a, const float* b, const float* bias, Activation act,
           float* c, bool accumulate, void* workspace, std::size_t workspace_bytes);

 private:
  Cublas cublas_;
  Stream stream_;
  cublasComputeType_t compute_;
  cublasHandle_t handle_ = nullptr;
};

}  // namespace adwp::cuda::vendor
