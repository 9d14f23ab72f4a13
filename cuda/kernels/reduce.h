// Sums over the rows of a matrix, and over everything. Order fixed by the shape: bit-reproducible.
#pragma once

#include "cuda/runtime/stream.h"
#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU::kernels {

// Floats of scratch for a reduction over (rows, channels).
std::int64_t reduction_scratch(std::int64_t rows, std::int64_t channels);

// sum[c] = or += sum over rows of x[:, c].
void column_sum(Stream stream, const float* x, float* sum, bool accumulate, float* scratch, std::int64_t rows,
                std::int64_t columns);
// sum (1) = sum of x^2.
void sum_of_squares(Stream stream, const float* x, float* sum, float* scratch, std::int64_t n);

}  // namespace adwp::ADWP_GPU::kernels
