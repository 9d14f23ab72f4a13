// Matrix products through oneDNN, and their epilogue.
#include <oneapi/dnnl/dnnl.h>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"
#include "framework/core/error.h"

namespace adwp::cpu {

void CpuBackend::compute(const Gemm& op, void*) {
  const std::int64_t m = op.m(), n = op.n(), k = op.k();
  float* out = op.c.tensor.data<float>();
  if (k == 0) {
    op.c.tensor.zero();
  } else {
    const dnnl_status_t status =
        dnnl_sgemm(op.transpose_a ? 'T' : 'N', op.transpose_b ? 'T' : 'N', m, n, k, 1.0f, op.a.data<float>(),
                   op.a.shape()[1], op.b.data<float>(), op.b.shape()[1], op.c.adds() ? 1.0f : 0.0f, out, n);
    require(status == dnnl_success, "gemm", "oneDNN refused a product of {} x {} x {}, status {}", m, n, k,
            int(status));
  }
  if (!op.bias.defined() && op.act == Activation::none) return;
  const float* shift = op.bias.defined() ? op.bias.data<float>() : nullptr;
  dispatch(op.act, [&]<Activation kind>() {
    parallel_for(m, grain_for(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        float* y = out + row * n;
        if (shift != nullptr) {
          for (std::int64_t j = 0; j < n; ++j) y[j] = activate<kind>(y[j] + shift[j]);
        } else {
          for (std::int64_t j = 0; j < n; ++j) y[j] = activate<kind>(y[j]);
        }
      }
    });
  });
}

void CpuBackend::compute(const ColumnSum& op, void* workspace) {
  const std::int64_t rows = op.x.shape()[0], columns = op.x.shape()[1];
  const float* in = op.x.data<float>();
  const std::vector<double> totals = row_sums(rows, columns, workspace, [&](std::int64_t row, float* sums) {
    const float* values = in + row * columns;
    for (std::int64_t j = 0; j < columns; ++j) sums[j] += values[j];
  });
  float* out = op.sum.tensor.data<float>();
  dispatch(op.sum.mode, [&]<bool accumulate>() {
    for (std::int64_t j = 0; j < columns; ++j) put<accumulate>(out[j], totals[j]);
  });
}

}  // namespace adwp::cpu
