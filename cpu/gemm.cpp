// Matrix products through oneDNN, and their epilogue.
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include <atomic>

#include "cpu/cpu_class.h"
#include "cpu/math.h"
#include "cpu/parallel.h"
#include "framework/core/error.h"

namespace adwp::cpu {

std::size_t CpuBackend::gemm_workspace(const Gemm&, const Shape&, std::int64_t, GradMode) { return 0; }

void CpuBackend::do_gemm(const Gemm& spec, const Tensor& a, const Tensor& b, const Tensor& bias,
                         Activation act, const Tensor& c, GradMode mode, void*) {
  const std::int64_t batch = c.shape()[0], m = c.shape()[1], n = c.shape()[2];
  const std::int64_t k = a.shape()[spec.transpose_a ? 1 : 2];
  float* out = c.data<float>();
  if (k == 0) {
    c.zero();
  } else {
    auto multiply = [&](std::int64_t i) {
      return dnnl_sgemm(spec.transpose_a ? 'T' : 'N', spec.transpose_b ? 'T' : 'N', m, n, k, 1.0f,
                        a.data<float>() + i * m * k, a.shape()[2], b.data<float>() + i * k * n, b.shape()[2],
                        mode == GradMode::accumulate ? 1.0f : 0.0f, out + i * m * n, n);
    };
    std::atomic<dnnl_status_t> failed = dnnl_success;
    auto multiply_all = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const dnnl_status_t status = multiply(i);
        if (status != dnnl_success) failed = status;
      }
    };
    // One product, or a few, are oneDNN's to share out among threads; of many each thread takes some whole.
    if (batch < 2 * omp_get_max_threads()) {
      multiply_all(0, batch);
    } else {
      parallel_for(batch, grain_for(m * n * k), multiply_all);
    }
    require(failed == dnnl_success, "gemm", "oneDNN refused a product of {} x {} x {}, status {}", m, n, k,
            static_cast<int>(failed.load()));
  }
  if (!bias.defined() && act == Activation::none) return;
  const float* shift = bias.defined() ? bias.data<float>() : nullptr;
  const std::int64_t shift_pitch = bias.defined() && bias.shape().rank() == 2 ? n : 0;
  dispatch(act, [&]<Activation kind>() {
    parallel_for(batch * m, grain_for(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        float* y = out + row * n;
        if (shift != nullptr) {
          const float* own = shift + row / m * shift_pitch;
          for (std::int64_t j = 0; j < n; ++j) y[j] = activate<kind>(y[j] + own[j]);
        } else {
          for (std::int64_t j = 0; j < n; ++j) y[j] = activate<kind>(y[j]);
        }
      }
    });
  });
}

void CpuBackend::do_column_sum(const Tensor& x, const Tensor& sum, GradMode mode, void* workspace) {
  const std::int64_t rows = x.shape()[0], columns = x.shape()[1];
  const std::int64_t parts = part_count(rows);
  auto* partial = static_cast<float*>(workspace);  // (parts, columns)
  const float* in = x.data<float>();
  parallel_for(parts, std::max<std::int64_t>(1, parts * grain_for(columns) / std::max<std::int64_t>(rows, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t part = begin; part < end; ++part) {
                   float* acc = partial + part * columns;
                   std::fill_n(acc, columns, 0.0f);
                   for (std::int64_t row = rows * part / parts; row < rows * (part + 1) / parts; ++row) {
                     const float* values = in + row * columns;
                     for (std::int64_t j = 0; j < columns; ++j) acc[j] += values[j];
                   }
                 }
               });
  float* out = sum.data<float>();
  for (std::int64_t j = 0; j < columns; ++j) {
    double total = 0;
    for (std::int64_t part = 0; part < parts; ++part) total += partial[part * columns + j];
    out[j] = static_cast<float>(total) + (mode == GradMode::accumulate ? out[j] : 0.0f);
  }
}

}  // namespace adwp::cpu
