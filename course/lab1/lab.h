// Lab 1: what kernels.cu defines. Arrays are row-major; each function launches one kernel and returns.
#pragma once

#include "course/common/counted.cuh"

namespace lab {

// y[r, c] = max(0, scale[c] * x[r, c] + residual[r, c]); x, residual and y are (rows, channels), scale is
// (channels).
void scale_add_relu(Global<const float> x, Global<const float> scale, Global<const float> residual,
                    Global<float> y, int rows, int channels);

// sums[r] = the sum over c of x[r, c]; x is (rows, 128).
void row_sums(Global<const float> x, Global<float> sums, int rows);

// y[i] = (x[i - 1] + x[i] + x[i + 1]) / 3; before the first and behind the last element, x goes on with their
// values.
void smooth(Global<const float> x, Global<float> y, int n);

// y[r, c] = x[r, c] + bias[c]; x and y are (rows, channels).
void add_bias(Global<const float> x, Global<const float> bias, Global<float> y, int rows, int channels);

}  // namespace lab
