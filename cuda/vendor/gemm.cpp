// cuBLAS lays matrices out by columns. What is C by rows is C' by columns, and C' = op(B)' op(A)': the
// operands change places, and each is transposed to cuBLAS exactly when it is to us.
#include "cuda/vendor/gemm.h"

#include "cuda/kernels/elementwise.h"

namespace adwp::cuda::vendor {

Gemm::Gemm(Stream stream, Precision precision)
    : stream_(stream),
      compute_(precision == Precision::bf16   ? CUBLAS_COMPUTE_32F_FAST_16BF
               : precision == Precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                              : CUBLAS_COMPUTE_32F) {
  cublas_.check(cublas_.cublasCreate_v2(&handle_), "opening");
  cublas_.check(cublas_.cublasSetStream_v2(handle_, static_cast<cudaStream_t>(stream)), "setting the stream");
}

Gemm::~Gemm() { cublas_.cublasDestroy_v2(handle_); }

bool Gemm::run(const kernels::GemmShape& shape, const float* a, const float* b, const float* bias,
               Activation act, float* c, bool accumulate, void* workspace, std::size_t workspace_bytes) {
  const auto [m, n, k, transpose_a, transpose_b, batch, bias_each] = shape;
  if (k == 0) return false;  // no leading dimension that cuBLAS would take
  const auto operation = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const cublasOperation_t of_b = operation(transpose_b), of_a = operation(transpose_a);
  const std::int64_t pitch_b = transpose_b ? k : n, pitch_a = transpose_a ? m : k;
  const float one = 1, keep = accumulate ? 1 : 0;
  cublas_.check(cublas_.cublasSetWorkspace_v2(handle_, workspace, workspace_bytes), "setting the workspace");
  if (batch == 1) {  // cuBLAS may choose otherwise for a batch of one
    cublas_.check(
        cublas_.cublasGemmEx_64(handle_, of_b, of_a, n, m, k, &one, b, CUDA_R_32F, pitch_b, a, CUDA_R_32F,
                                pitch_a, &keep, c, CUDA_R_32F, n, compute_, CUBLAS_GEMM_DEFAULT),
        "GEMM");
  } else {
    cublas_.check(cublas_.cublasGemmStridedBatchedEx_64(
                      handle_, of_b, of_a, n, m, k, &one, b, CUDA_R_32F, pitch_b, k * n, a, CUDA_R_32F,
                      pitch_a, m * k, &keep, c, CUDA_R_32F, n, m * n, batch, compute_, CUBLAS_GEMM_DEFAULT),
                  "batched GEMM");
  }
  if (bias != nullptr || act != Activation::none) {
    // One bias for all makes one tall matrix of the batch.
    const std::int64_t biases = bias_each ? batch : 1;
    kernels::bias_activation(stream_, bias, act, c, biases, batch / biases * m, n);
  }
  return true;
}

}  // namespace adwp::cuda::vendor
