// The CPU device: oneDNN for dense convolution and GEMM, own vectorised loops for the rest.
#pragma once

#include <memory>

#include "framework/backend/backend.h"

namespace adwp::cpu {

// `threads`: how many OpenMP threads; 0: one a core. Denormals are flushed to zero on all of them.
std::unique_ptr<Backend> open_cpu(int threads = 0);

}  // namespace adwp::cpu
