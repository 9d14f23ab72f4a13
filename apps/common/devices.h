// The devices this binary was built with.
#pragma once

#include "framework/backend/registry.h"

namespace adwp::apps {

// In the order in which `--device auto` prefers them. `threads`: of the CPU device; 0: one a core.
// `precision` of matrix products: f32, tf32 or bf16; the CPU device has f32 alone.
Registry devices(int threads = 0, const std::string& precision = "f32");

}  // namespace adwp::apps
