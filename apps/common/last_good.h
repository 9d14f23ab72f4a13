// What a person is told when training diverges: which step it was, and what is still good.
#pragma once

#include <functional>
#include <string>

#include "framework/io/checkpoint.h"

namespace adwp::apps {

// Calls `work`. A nas::Diverged that comes out of it goes on as an Error that also names the newest of
// `checkpoints`, and `option`, which sets the learning rate.
void or_last_good(const io::CheckpointPair& checkpoints, const std::string& option,
                  const std::function<void()>& work);

}  // namespace adwp::apps
