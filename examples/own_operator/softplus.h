// softplus(x) = log(1 + e^x): an operator that the engine does not have.
#pragma once

#include "framework/autograd/tape.h"

// y = softplus(x), elementwise; dx = dy / (1 + e^-x). On devices whose memory the host can read: cpu,
// emulated.
adwp::Variable softplus(adwp::Tape& tape, const adwp::Variable& x);
