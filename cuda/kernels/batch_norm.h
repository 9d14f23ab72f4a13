// Batch norm and layer norm, each with its activation in the same pass. Formulas and shapes:
// framework/backend/backend.h. `scratch`: reduction_scratch(rows, channels) floats.
#pragma once

#include "cuda/runtime/stream.h"
#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU::kernels {

struct NormShape {
  std::int64_t rows, channels;
  float epsilon;
  Activation act;
};

void batch_norm_forward(Stream stream, const NormShape& shape, const float* x, const float* scale,
                        const float* shift, float* y, float* mean, float* var, float* scratch);
// The same from moments (tiles, 3, channels) of x that are there already (convolution.h).
void batch_norm_forward_moments(Stream stream, const NormShape& shape, const float* moments, const float* x,
                                const float* scale, const float* shift, float* y, float* mean, float* var);
void batch_norm_inference(Stream stream, const NormShape& shape, const float* x, const float* mean,
                          const float* var, const float* scale, const float* shift, float* y);

struct BatchNormGradients {
  float *dx, *dscale, *dshift;
  bool dx_accumulate, dscale_accumulate, dshift_accumulate;
};
void batch_norm_backward(Stream stream, const NormShape& shape, const float* dy, const float* x,
                         const float* mean, const float* var, const float* scale, const float* shift,
                         const BatchNormGradients& gradients, float* scratch);

// Over each row, without scale and shift; `inverse` is 1 / deviation.
void layer_norm_forward(Stream stream, const NormShape& shape, const float* x, float* y, float* mean,
                        float* inverse);
void layer_norm_backward(Stream stream, const NormShape& shape, const float* dy, const float* x,
                         const float* mean, const float* inverse, float* dx, bool accumulate);

}  // namespace adwp::ADWP_GPU::kernels
