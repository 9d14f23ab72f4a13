// What a run of `train` left, found by what a person types.
#pragma once

#include <string>

#include "framework/io/checkpoint.h"

namespace adwp::apps {

// The newest whole checkpoint of a run directory, or the file `path`. A damaged checkpoint is left in its
// place and named on standard error. Throws a usage Error when there is none, an Error when none is whole.
io::StoredCheckpoint trained_network(const std::string& path);

}  // namespace adwp::apps
