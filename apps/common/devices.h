// The devices this binary was built with.
#pragma once

#include "framework/backend/registry.h"

namespace adwp::apps {

// In the order in which `--device auto` prefers them.
Registry devices();

}  // namespace adwp::apps
