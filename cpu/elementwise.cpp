// Activations, sums, channel scale, concatenation and global pooling.

#include <algorithm>
#include <cstring>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"

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

void CpuBackend::compute(const ActivationForward& op, void*) {
  const float* in = op.x.data<float>();
  float* out = op.y.data<float>();
  dispatch(op.act, [&]<Activation kind>() {
    for_elements(op.x.elements(), [=](std::int64_t i) { out[i] = activate<kind>(in[i]); });
  });
}

void CpuBackend::compute(const ActivationBackward& op, void*) {
  const float* in = op.x.data<float>();
  const float* gradient = op.dy.data<float>();
  float* out = op.dx.tensor.data<float>();
  dispatch(op.act, [&]<Activation kind>() {
    dispatch(op.dx.mode, [&]<bool accumulate>() {
      for_elements(op.x.elements(),
                   [=](std::int64_t i) { put<accumulate>(out[i], gradient[i] * derivative<kind>(in[i])); });
    });
  });
}

void CpuBackend::compute(const Add& op, void*) {
  const float *p = op.a.data<float>(), *q = op.b.data<float>();
  float* out = op.y.data<float>();
  for_elements(op.y.elements(), [=](std::int64_t i) { out[i] = p[i] + q[i]; });
}

void CpuBackend::compute(const CopyGradient& op, void*) {
  const float* gradient = op.dy.data<float>();
  float* out = op.dx.tensor.data<float>();
  dispatch(op.dx.mode, [&]<bool accumulate>() {
    for_elements(op.dx.tensor.elements(), [=](std::int64_t i) { put<accumulate>(out[i], gradient[i]); });
  });
}

void CpuBackend::compute(const Lerp& op, void*) {
  const float* in = op.source.data<float>();
  float* out = op.target.data<float>();
  const float t = op.t;
  for_elements(op.target.elements(), [=](std::int64_t i) { out[i] += t * (in[i] - out[i]); });
}

void CpuBackend::compute(const ChannelScaleForward& op, void*) {
  const std::int64_t pixels = op.x.shape()[1] * op.x.shape()[2], channels = op.x.shape()[3];
  const float *in = op.x.data<float>(), *scale = op.s.data<float>();
  float* out = op.y.data<float>();
  parallel_for(op.x.shape()[0], grain_for(pixels * channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin * pixels; row < end * pixels; ++row) {
      const float* factor = scale + row / pixels * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        out[row * channels + c] = in[row * channels + c] * factor[c];
      }
    }
  });
}

void CpuBackend::compute(const ChannelScaleBackward& op, void*) {
  const std::int64_t pixels = op.x.shape()[1] * op.x.shape()[2], channels = op.x.shape()[3];
  const float *in = op.x.data<float>(), *scale = op.s.data<float>(), *gradient = op.dy.data<float>();
  float *out = op.dx.tensor.data<float>(), *scale_out = op.ds.tensor.data<float>();
  dispatch(op.dx.mode, [&]<bool accumulate>() {
    parallel_for(op.x.shape()[0], grain_for(pixels * channels), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        float* sum = scale_out + n * channels;
        if (!op.ds.adds()) std::fill_n(sum, channels, 0.0f);
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

void CpuBackend::compute(const ConcatForward& op, void*) {
  const std::int64_t first = op.a.shape()[3], second = op.b.shape()[3], rows = op.y.shape().rows();
  const float *p = op.a.data<float>(), *q = op.b.data<float>();
  float* out = op.y.data<float>();
  parallel_for(rows, grain_for(first + second), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* target = out + row * (first + second);
      std::copy_n(p + row * first, first, target);
      std::copy_n(q + row * second, second, target + first);
    }
  });
}

void CpuBackend::compute(const ConcatBackward& op, void*) {
  const std::int64_t whole = op.dy.shape()[3], part = op.dx.tensor.shape()[3],
                     rows = op.dx.tensor.shape().rows();
  const float* gradient = op.dy.data<float>() + op.channel;
  float* out = op.dx.tensor.data<float>();
  dispatch(op.dx.mode, [&]<bool accumulate>() {
    parallel_for(rows, grain_for(part), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t c = 0; c < part; ++c) {
          put<accumulate>(out[row * part + c], gradient[row * whole + c]);
        }
      }
    });
  });
}

namespace {

template <typename Body>
void for_images(const Shape& shape, Body&& body) {
  parallel_for(shape[0], grain_for(shape[1] * shape[2] * shape[3]),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t n = begin; n < end; ++n) body(n);
               });
}

}  // namespace

void CpuBackend::compute(const GlobalPoolForward& op, void*) {
  const Shape& in = op.x.shape();
  const std::int64_t pixels = in[1] * in[2], channels = in[3];
  const float share = 1.0f / pixels;
  for_images(in, [&](std::int64_t n) {
    const float* image = op.x.data<float>() + n * pixels * channels;
    float* sum = op.y.data<float>() + n * channels;
    std::fill_n(sum, channels, 0.0f);
    for (std::int64_t i = 0; i < pixels; ++i) {
      for (std::int64_t c = 0; c < channels; ++c) sum[c] += image[i * channels + c];
    }
    for (std::int64_t c = 0; c < channels; ++c) sum[c] *= share;
  });
}

void CpuBackend::compute(const GlobalPoolBackward& op, void*) {
  const Shape& in = op.dx.tensor.shape();
  const std::int64_t pixels = in[1] * in[2], channels = in[3];
  const float share = 1.0f / pixels;
  dispatch(op.dx.mode, [&]<bool accumulate>() {
    for_images(in, [&](std::int64_t n) {
      const float* gradient = op.dy.data<float>() + n * channels;
      float* image = op.dx.tensor.data<float>() + n * pixels * channels;
      for (std::int64_t i = 0; i < pixels; ++i) {
        for (std::int64_t c = 0; c < channels; ++c) {
          put<accumulate>(image[i * channels + c], gradient[c] * share);
        }
      }
    });
  });
}

}  // namespace adwp::cpu
