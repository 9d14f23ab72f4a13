// The devices this binary was built with.
#pragma once

#include "framework/backend/registry.h"

namespace adwp::apps {

// In the order in which `--device auto` prefers them. `threads`: of the CPU device; 0: one a core.
Registry devices(int threads = 0);

}  // namespace adwp::apps
