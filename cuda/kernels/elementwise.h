// Kernels that touch each element once. All pointers are f32 on the device; `n` counts elements.
// Formulas: framework/backend/backend.h.
#pragma once

#include "cuda/runtime/stream.h"
#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU::kernels {

void activation_forward(Stream stream, Activation act, const float* x, float* y, std::int64_t n);
void activation_backward(Stream stream, Activation act, const float* x, const float* dy, float* dx,
                         bool accumulate, std::int64_t n);
void add(Stream stream, const float* a, const float* b, float* y, std::int64_t n);
void copy_gradient(Stream stream, const float* dy, float* dx, bool accumulate, std::int64_t n);
void lerp(Stream stream, const float* source, float t, float* target, std::int64_t n);
// y (batch, rows, columns) = act(y + bias), in place; bias: (batch, columns) or null.
void bias_activation(Stream stream, const float* bias, Activation act, float* y, std::int64_t batch,
                     std::int64_t rows, std::int64_t columns);

// x, y (images, pixels, channels); s (images, channels).
void channel_scale_forward(Stream stream, const float* x, const float* s, float* y, std::int64_t images,
                           std::int64_t pixels, std::int64_t channels);
void channel_scale_backward(Stream stream, const float* dy, const float* x, const float* s, float* dx,
                            bool dx_accumulate, float* ds, bool ds_accumulate, std::int64_t images,
                            std::int64_t pixels, std::int64_t channels);

// y (rows, first + second) = [a | b].
void concat_forward(Stream stream, const float* a, const float* b, float* y, std::int64_t rows,
                    std::int64_t first, std::int64_t second);
// dx (rows, channels) = or += columns [begin, begin + channels) of dy (rows, width).
void concat_backward(Stream stream, const float* dy, std::int64_t width, std::int64_t begin, float* dx,
                     bool accumulate, std::int64_t rows, std::int64_t channels);

}  // namespace adwp::ADWP_GPU::kernels
