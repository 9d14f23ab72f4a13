// Stands in for libcublas.so.13 on the executor of PTX: the functions of cuda/vendor/functions.h, as cuBLAS's
// documentation has them, in plain loops. Matrices lie by columns.
#include <cublas_v2.h>

#include <cstdint>

#include "tests/cuda/ptx/runtime.h"

namespace {

struct Handle {
  cudaStream_t stream = nullptr;
  bool has_workspace = false;
};
Handle& of(cublasHandle_t handle) { return *reinterpret_cast<Handle*>(handle); }

struct Matrix {
  const float* data;
  std::int64_t pitch;
  bool transposed;

  float at(std::int64_t row, std::int64_t column) const {
    return transposed ? data[row * pitch + column] : data[column * pitch + row];
  }
};

void multiply(const Matrix& a, const Matrix& b, float alpha, float beta, float* c, std::int64_t pitch,
              std::int64_t m, std::int64_t n, std::int64_t k) {
  for (std::int64_t column = 0; column < n; ++column) {
    for (std::int64_t row = 0; row < m; ++row) {
      float sum = 0;
      for (std::int64_t d = 0; d < k; ++d) sum += a.at(row, d) * b.at(d, column);
      float& to = c[column * pitch + row];
      to = alpha * sum + (beta == 0 ? 0.0f : beta * to);  // what beta of 0 overwrites may be NaN
    }
  }
}

}  // namespace

extern "C" {

cublasStatus_t cublasGetProperty(libraryPropertyType, int* value) {
  *value = 13;
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusString(cublasStatus_t) { return "a status of the stand-in for cuBLAS"; }
cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = reinterpret_cast<cublasHandle_t>(new Handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete &of(handle);
  return CUBLAS_STATUS_SUCCESS;
}
// The workspace is the library's own again.
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  of(handle) = {stream, false};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t) {
  if (reinterpret_cast<std::uintptr_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  of(handle).has_workspace = true;
  return CUBLAS_STATUS_SUCCESS;
}

// The library's own workspace would be allocated, which a capture does not allow: one must have been given.
cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t of_a, cublasOperation_t of_b,
                               int64_t m, int64_t n, int64_t k, const void* alpha, const void* a,
                               cudaDataType, int64_t lda, const void* b, cudaDataType, int64_t ldb,
                               const void* beta, void* c, cudaDataType, int64_t ldc, cublasComputeType_t,
                               cublasGemmAlgo_t) {
  const Matrix x{static_cast<const float*>(a), lda, of_a == CUBLAS_OP_T};
  const Matrix y{static_cast<const float*>(b), ldb, of_b == CUBLAS_OP_T};
  const bool fits = lda >= std::max<int64_t>(1, x.transposed ? k : m) &&
                    ldb >= std::max<int64_t>(1, y.transposed ? n : k) && ldc >= std::max<int64_t>(1, m);
  if (m < 0 || n < 0 || k < 0 || !fits || !of(handle).has_workspace) return CUBLAS_STATUS_INVALID_VALUE;
  const float factor = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  adwp::executor::enqueue(of(handle).stream,
                          [=] { multiply(x, y, factor, keep, static_cast<float*>(c), ldc, m, n, k); });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
