// Lab 3: what operator.cpp defines, the operator prelu: y[r, c] = x[r, c] where it is above 0, else slope[c]
// x[r, c].
//
// x, y and their gradients are (rows, channels), row-major; slope and its gradient are (channels). A target
// is overwritten, or added to where `adds` is true.
#pragma once

#include <functional>
#include <vector>

#include "framework/autograd/tape.h"

namespace lab {

// --- loops ---

void forward(const float* x, const float* slope, float* y, std::int64_t rows, std::int64_t channels);
// The gradient by x, from dy, the gradient by y.
void backward_x(const float* x, const float* slope, const float* dy, float* dx, bool adds, std::int64_t rows,
                std::int64_t channels);
// The gradient by slope.
void backward_slope(const float* x, const float* dy, float* dslope, bool adds, std::int64_t rows,
                    std::int64_t channels);

// --- what they are checked with ---

// y in double precision; slope.size() channels.
std::vector<double> oracle(const std::vector<double>& x, const std::vector<double>& slope);
// The gradient of f at x by central differences.
std::vector<double> differences(const std::function<double(const std::vector<double>&)>& f,
                                std::vector<double> x);

// --- in a network ---

// The operator on the tape; slope has the shape (channels).
adwp::Variable prelu(adwp::Tape& tape, const adwp::Variable& x, const adwp::Variable& slope);

struct Parameters {
  adwp::Variable w1, b1, slope, w2, b2;  // (hidden, 2), (hidden), (hidden), (classes, hidden), (classes)
};
// x (N, 2) -> logits (N, classes): linear, prelu, linear.
adwp::Variable network(adwp::Tape& tape, const Parameters& parameters, const adwp::Variable& x);

}  // namespace lab
