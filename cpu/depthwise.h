// Depthwise convolution: our own loops for all three passes.
//
// One idea serves all: each image is copied with its border into a padded buffer (for dgrad the
// output's gradient, spread out by the stride), so that the inner loops know no borders; they hold a
// vector of channels of a few outputs (or of all taps) in registers. Channels are the fastest axis,
// so every load is contiguous.
#pragma once

#include "framework/backend/backend.h"

namespace adwp::cpu {

// Bytes of workspace for each pass; x is the shape of the convolution's input.
std::size_t depthwise_workspace(ConvPass pass, const Conv2d& conv, const Shape& x);

void depthwise_forward(const Conv2d& conv, const Tensor& x, const Tensor& w, const Tensor& y,
                       void* workspace);
void depthwise_dgrad(const Conv2d& conv, const Tensor& dy, const Tensor& w, const Tensor& dx, GradMode mode,
                     void* workspace);
void depthwise_wgrad(const Conv2d& conv, const Tensor& x, const Tensor& dy, const Tensor& dw, GradMode mode,
                     void* workspace);

}  // namespace adwp::cpu
