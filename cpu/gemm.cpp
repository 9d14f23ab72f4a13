// Matrix products through oneDNN, and their epilogue.
#include <oneapi/dnnl/dnnl.h>

#include <atomic>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"
#include "framework/core/error.h"

namespace adwp::cpu {

namespace {

// A part packs all of b for itself: with fewer rows that would cost more than it computes.
constexpr std::int64_t least_rows = 64, most_parts = 16;

}  // namespace

void CpuBackend::compute(const Gemm& op, void*) {
  const std::int64_t m = op.m(), n = op.n(), k = op.k();
  float* out = op.c.tensor.data<float>();
  if (k == 0) {
    op.c.tensor.zero();
  } else {
    const std::int64_t parts = std::clamp<std::int64_t>(m / least_rows, 1, most_parts);
    std::atomic<dnnl_status_t> refused = dnnl_success;
    on_parts(parts, [&](std::int64_t part) {
      const std::int64_t first = m * part / parts, rows = m * (part + 1) / parts - first;
      const std::int64_t lda = op.a.shape()[1];
      const float* a = op.a.data<float>() + first * (op.transpose_a ? 1 : lda);
      const dnnl_status_t status =
          dnnl_sgemm(op.transpose_a ? 'T' : 'N', op.transpose_b ? 'T' : 'N', rows, n, k, 1.0f, a, lda,
                     op.b.data<float>(), op.b.shape()[1], op.c.adds() ? 1.0f : 0.0f, out + first * n, n);
      if (status != dnnl_success) refused = status;
    });
    require(refused == dnnl_success, "gemm", "oneDNN refused a product of {} x {} x {}, status {}", m, n, k,
            int(refused));
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
