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

void depthwise_forward(const ConvForward& op, void* workspace);
void depthwise_dgrad(const ConvDgrad& op, void* workspace);
void depthwise_wgrad(const ConvWgrad& op, void* workspace);

}  // namespace adwp::cpu
