// Global pooling, NHWC.
#include <algorithm>

#include "cpu/cpu_class.h"
#include "cpu/math.h"
#include "cpu/parallel.h"

namespace adwp::cpu {
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
