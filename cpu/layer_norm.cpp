// Layer norm over the rows of a matrix, with its activation.
#include <cmath>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {

void CpuBackend::compute(const LayerNormForward& op, void*) {
  const std::int64_t rows = op.x.shape()[0], columns = op.x.shape()[1];
  const float* in = op.x.data<float>();
  float* out = op.y.data<float>();
  float* means = op.mean.data<float>();
  float* inverses = op.inverse.data<float>();
  const float share = 1.0f / columns;
  dispatch(op.act, [&]<Activation kind>() {
    parallel_for(rows, grain_for(columns), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* a = in + row * columns;
        float* b = out + row * columns;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t j = 0; j < columns; ++j) sum += a[j];
        const float mu = sum * share;
        float squares = 0;
#pragma omp simd reduction(+ : squares)
        for (std::int64_t j = 0; j < columns; ++j) squares += (a[j] - mu) * (a[j] - mu);
        const float factor = 1.0f / std::sqrt(squares * share + op.epsilon);
#pragma omp simd
        for (std::int64_t j = 0; j < columns; ++j) b[j] = activate<kind>((a[j] - mu) * factor);
        means[row] = mu;
        inverses[row] = factor;
      }
    });
  });
}

// With h = (x - mean) inverse and g = dy act'(h): dx = inverse (g - mean(g) - h mean(g h)).
void CpuBackend::compute(const LayerNormBackward& op, void*) {
  const std::int64_t rows = op.x.shape()[0], columns = op.x.shape()[1];
  const float* in = op.x.data<float>();
  const float* gradient = op.dy.data<float>();
  const float* means = op.mean.data<float>();
  const float* inverses = op.inverse.data<float>();
  float* out = op.dx.tensor.data<float>();
  const float share = 1.0f / columns;
  dispatch(op.act, [&]<Activation kind>() {
    dispatch(op.dx.mode, [&]<bool accumulate>() {
      parallel_for(rows, grain_for(columns), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          const float* a = in + row * columns;
          const float* d = gradient + row * columns;
          float* o = out + row * columns;
          const float mu = means[row], factor = inverses[row];
          float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
          for (std::int64_t j = 0; j < columns; ++j) {
            const float h = (a[j] - mu) * factor;
            const float g = d[j] * derivative<kind>(h);
            sum += g;
            product += g * h;
          }
          sum *= share;
          product *= share;
#pragma omp simd
          for (std::int64_t j = 0; j < columns; ++j) {
            const float h = (a[j] - mu) * factor;
            const float g = d[j] * derivative<kind>(h);
            put<accumulate>(o[j], factor * (g - sum - h * product));
          }
        }
      });
    });
  });
}

}  // namespace adwp::cpu
