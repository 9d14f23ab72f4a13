// Activations, sums, channel scale and concatenation.
#include <algorithm>
#include <cstring>

#include "cpu/cpu_class.h"
#include "cpu/math.h"
#include "cpu/parallel.h"

namespace adwp::cpu {
namespace {

constexpr std::int64_t elements_per_thread = 16384;

// body(i) for every element.
template <typename Body>
void for_elements(std::int64_t count, Body&& body) {
  parallel_for(count, elements_per_thread, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace

void CpuBackend::do_activation_forward(Activation act, const Tensor& x, const Tensor& y) {
  const float* in = x.data<float>();
  float* out = y.data<float>();
  dispatch(act, [&]<Activation kind>() {
    for_elements(x.elements(), [=](std::int64_t i) { out[i] = activate<kind>(in[i]); });
  });
}

void CpuBackend::do_activation_backward(Activation act, const Tensor& x, const Tensor& dy, const Tensor& dx,
                                        GradMode mode) {
  const float* in = x.data<float>();
  const float* gradient = dy.data<float>();
  float* out = dx.data<float>();
  dispatch(act, [&]<Activation kind>() {
    dispatch(mode, [&]<bool accumulate>() {
      for_elements(x.elements(),
                   [=](std::int64_t i) { put<accumulate>(out[i], gradient[i] * derivative<kind>(in[i])); });
    });
  });
}

void CpuBackend::do_add(const Tensor& a, const Tensor& b, const Tensor& y) {
  const float *p = a.data<float>(), *q = b.data<float>();
  float* out = y.data<float>();
  for_elements(y.elements(), [=](std::int64_t i) { out[i] = p[i] + q[i]; });
}

void CpuBackend::do_copy_gradient(const Tensor& dy, const Tensor& dx, GradMode mode) {
  const float* gradient = dy.data<float>();
  float* out = dx.data<float>();
  dispatch(mode, [&]<bool accumulate>() {
    for_elements(dx.elements(), [=](std::int64_t i) { put<accumulate>(out[i], gradient[i]); });
  });
}

void CpuBackend::do_lerp(const Tensor& source, float t, const Tensor& target) {
  const float* in = source.data<float>();
  float* out = target.data<float>();
  for_elements(target.elements(), [=](std::int64_t i) { out[i] += t * (in[i] - out[i]); });
}

void CpuBackend::do_channel_scale_forward(const Tensor& x, const Tensor& s, const Tensor& y) {
  const std::int64_t pixels = x.shape()[1] * x.shape()[2], channels = x.shape()[3];
  const float *in = x.data<float>(), *scale = s.data<float>();
  float* out = y.data<float>();
  parallel_for(x.shape()[0], grain_for(pixels * channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin * pixels; row < end * pixels; ++row) {
      const float* factor = scale + row / pixels * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        out[row * channels + c] = in[row * channels + c] * factor[c];
      }
    }
  });
}

void CpuBackend::do_channel_scale_backward(const Tensor& dy, const Tensor& x, const Tensor& s,
                                           const Tensor& dx, GradMode dx_mode, const Tensor& ds,
                                           GradMode ds_mode, void*) {
  const std::int64_t pixels = x.shape()[1] * x.shape()[2], channels = x.shape()[3];
  const float *in = x.data<float>(), *scale = s.data<float>(), *gradient = dy.data<float>();
  float *out = dx.data<float>(), *scale_out = ds.data<float>();
  dispatch(dx_mode, [&]<bool accumulate>() {
    parallel_for(x.shape()[0], grain_for(pixels * channels), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        float* sum = scale_out + n * channels;
        if (ds_mode == GradMode::overwrite) std::fill_n(sum, channels, 0.0f);
        for (std::int64_t row = n * pixels; row < (n + 1) * pixels; ++row) {
          const float* d = gradient + row * channels;
          const float* a = in + row * channels;
          float* o = out + row * channels;
          for (std::int64_t c = 0; c < channels; ++c) {
            sum[c] += d[c] * a[c];
            put<accumulate>(o[c], d[c] * scale[n * channels + c]);
          }
        }
      }
    });
  });
}

void CpuBackend::do_concat_forward(const Tensor& a, const Tensor& b, const Tensor& y) {
  const std::int64_t first = a.shape()[3], second = b.shape()[3], rows = y.shape().rows();
  const float *p = a.data<float>(), *q = b.data<float>();
  float* out = y.data<float>();
  parallel_for(rows, grain_for(first + second), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* target = out + row * (first + second);
      std::copy_n(p + row * first, first, target);
      std::copy_n(q + row * second, second, target + first);
    }
  });
}

void CpuBackend::do_concat_backward(const Tensor& dy, std::int64_t channel, const Tensor& dx, GradMode mode) {
  const std::int64_t whole = dy.shape()[3], part = dx.shape()[3], rows = dx.shape().rows();
  const float* gradient = dy.data<float>() + channel;
  float* out = dx.data<float>();
  dispatch(mode, [&]<bool accumulate>() {
    parallel_for(rows, grain_for(part), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t c = 0; c < part; ++c) {
          put<accumulate>(out[row * part + c], gradient[row * whole + c]);
        }
      }
    });
  });
}

}  // namespace adwp::cpu
