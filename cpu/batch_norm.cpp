// Batch norm with its activation: two passes over the rows forward, two backward. convolution_norm.cpp
// joins them to convolutions.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/batch_norm.h"
#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {

Affine affine(const float* mean, const float* var, const float* scale, const float* shift, float epsilon,
              std::int64_t channels) {
  Affine result{std::vector<float>(channels), std::vector<float>(channels)};
  for (std::int64_t c = 0; c < channels; ++c) {
    result.factor[c] = scale[c] / std::sqrt(var[c] + epsilon);
    result.offset[c] = shift[c] - mean[c] * result.factor[c];
  }
  return result;
}

void normalise(const Tensor& x, const Affine& line, Activation act, const Tensor& y) {
  const std::int64_t rows = x.shape().rows(), channels = x.shape().back();
  const float* in = x.data<float>();
  float* out = y.data<float>();
  const float* factor = line.factor.data();
  const float* offset = line.offset.data();
  dispatch(act, [&]<Activation kind>() {
    parallel_for(rows, grain_for(channels), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* a = in + row * channels;
        float* b = out + row * channels;
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
          b[c] = activate<kind>(a[c] * factor[c] + offset[c]);
        }
      }
    });
  });
}

namespace {

// Writes dscale and dshift from the sums of g and of g (x - mean), and gives what reaches dx through the
// statistics. With s = scale / deviation, in `factor`:
//   dx = s (g - mean(g) - (x - mean) mean(g (x - mean)) / variance) = s g + x * slope + constant.
Affine backward_of_statistics(const BatchNormBackward& op, const double* sums, const float* factor) {
  const std::int64_t channels = op.x.shape().back();
  const double count = op.x.shape().rows();
  const float *mu = op.mean.data<float>(), *variance = op.var.data<float>();
  float *scale_out = op.dscale.tensor.data<float>(), *shift_out = op.dshift.tensor.data<float>();
  Affine line{std::vector<float>(channels), std::vector<float>(channels)};
  for (std::int64_t c = 0; c < channels; ++c) {
    const double spread = variance[c];
    const double inverse2 = 1.0 / (spread + op.epsilon);
    const double slope = -factor[c] * inverse2 * sums[channels + c] / count;
    line.factor[c] = slope;
    line.offset[c] = -factor[c] * sums[c] / count - slope * mu[c];
    const float scale_gradient = sums[channels + c] * std::sqrt(inverse2);
    const float shift_gradient = sums[c];
    scale_out[c] = scale_gradient + (op.dscale.adds() ? scale_out[c] : 0.0f);
    shift_out[c] = shift_gradient + (op.dshift.adds() ? shift_out[c] : 0.0f);
  }
  return line;
}

}  // namespace

NormGradient::NormGradient(const BatchNormBackward& norm, void* workspace) : op(norm) {
  const float* mu = op.mean.data<float>();
  const std::int64_t channels = op.x.shape().back();
  line =
      affine(mu, op.var.data<float>(), op.scale.data<float>(), op.shift.data<float>(), op.epsilon, channels);
  const float *in = op.x.data<float>(), *gradient = op.dy.data<float>();
  const float *factor = line.factor.data(), *offset = line.offset.data();
  std::vector<double> sums;  // of g and of g (x - mean)
  dispatch(op.act, [&]<Activation kind>() {
    sums = row_sums(op.x.shape().rows(), 2 * channels, workspace, [&](std::int64_t row, float* first) {
      float* second = first + channels;
      const float* a = in + row * channels;
      const float* d = gradient + row * channels;
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) {
        const float g = d[c] * derivative<kind>(a[c] * factor[c] + offset[c]);
        first[c] += g;
        second[c] += g * (a[c] - mu[c]);
      }
    });
  });
  back = backward_of_statistics(op, sums.data(), factor);
}

void CpuBackend::compute(const BatchNormForward& op, void* workspace) {
  const std::int64_t rows = op.x.shape().rows(), channels = op.x.shape().back();
  const float* in = op.x.data<float>();
  // Sums are taken of the difference from the first row: no cancellation when the mean is large.
  const std::vector<double> totals =
      row_sums(rows, 2 * channels, workspace, [&](std::int64_t row, float* first) {
        float* second = first + channels;
        const float* a = in + row * channels;
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
          const float d = a[c] - in[c];
          first[c] += d;
          second[c] += d * d;
        }
      });
  const double* sums = totals.data();
  float* mean_out = op.mean.data<float>();
  float* var_out = op.var.data<float>();
  const double count = rows;
  for (std::int64_t c = 0; c < channels; ++c) {
    const double difference = sums[c] / count;
    const double square = sums[channels + c] / count - difference * difference;
    mean_out[c] = in[c] + difference;
    var_out[c] = std::max(square, 0.0);
  }
  normalise(op.x,
            affine(mean_out, var_out, op.scale.data<float>(), op.shift.data<float>(), op.epsilon, channels),
            op.act, op.y);
}

void CpuBackend::compute(const BatchNormInference& op, void*) {
  normalise(op.x,
            affine(op.mean.data<float>(), op.var.data<float>(), op.scale.data<float>(),
                   op.shift.data<float>(), op.epsilon, op.x.shape().back()),
            op.act, op.y);
  if (op.addend.defined()) compute(Add{op.y, op.addend, op.y}, nullptr);
}

void CpuBackend::compute(const BatchNormBackward& op, void* workspace) {
  const std::int64_t channels = op.x.shape().back();
  const NormGradient backward(op, workspace);
  float* out = op.dx.tensor.data<float>();
  dispatch(op.dx.mode, [&]<bool accumulate>() {
    parallel_for(op.x.shape().rows(), grain_for(channels), [&](std::int64_t begin, std::int64_t end) {
      backward.rows<accumulate>(begin, end, out + begin * channels);
    });
  });
}

}  // namespace adwp::cpu
