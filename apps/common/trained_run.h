// What a run of `train` left, found by what a person types.
#pragma once

#include <string>

namespace adwp::apps {

// The checkpoint of a run directory, or `path` itself when it is a file. Throws a usage Error when there is
// none.
std::string checkpoint_of(const std::string& path);

}  // namespace adwp::apps
