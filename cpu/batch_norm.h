// What batch norm shares with the operators that join it to a convolution.
#pragma once

#include <vector>

#include "cpu/loops.h"
#include "framework/backend/operators.h"

namespace adwp::cpu {

struct Affine {
  std::vector<float> factor, offset;  // y = x * factor + offset
};

Affine affine(const float* mean, const float* var, const float* scale, const float* shift, float epsilon,
              std::int64_t channels);

// y = act(x * factor + offset)
void normalise(const Tensor& x, const Affine& line, Activation act, const Tensor& y);

// What backward needs for dx of any rows, once it has summed over all of them: with g = dy act'(y before the
// activation), dx = factor g + x * slope + constant.
struct NormGradient {
  // Sums, and writes dscale and dshift. workspace: that of a reduction over the rows.
  NormGradient(const BatchNormBackward& norm, void* workspace);

  // The gradient of rows begin .. end, to `out` on.
  template <bool accumulate>
  void rows(std::int64_t begin, std::int64_t end, float* out) const {
    const std::int64_t channels = op.x.shape().back();
    const float *in = op.x.data<float>(), *gradient = op.dy.data<float>();
    const float *factor = line.factor.data(), *offset = line.offset.data();
    const float *slope = back.factor.data(), *constant = back.offset.data();
    dispatch(op.act, [&]<Activation kind>() {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* a = in + row * channels;
        const float* d = gradient + row * channels;
        float* o = out + (row - begin) * channels;
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
          const float g = d[c] * derivative<kind>(a[c] * factor[c] + offset[c]);
          put<accumulate>(o[c], factor[c] * g + a[c] * slope[c] + constant[c]);
        }
      }
    });
  }

  const BatchNormBackward& op;
  Affine line, back;
};

}  // namespace adwp::cpu
