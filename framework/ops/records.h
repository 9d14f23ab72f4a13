// The backward halves of operators that are computed by themselves and together.
#pragma once

#include "framework/ops/network.h"

namespace adwp::ops {

// y, the convolution of x and w, as a variable of the tape.
Variable record_conv2d(Tape& tape, const Conv2d& conv, const Variable& x, const Variable& w, const Tensor& y);
// y, batch norm of x with these statistics, as a variable of the tape.
Variable record_batch_norm(Tape& tape, const Variable& x, const Variable& scale, const Variable& shift,
                           Activation act, const Tensor& y, const BatchStatistics& statistics);

}  // namespace adwp::ops
