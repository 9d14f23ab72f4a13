// The frame of every program's main(): errors become one line on stderr and an exit code.
#pragma once

#include <functional>

namespace adwp::apps {

// Calls `body` and returns the exit code: 0 done, 1 the work failed, 2 wrong use, 130 interrupted
// (apps/common/interrupt.h). An exception, or output that could not be written, is reported as
// `error: [where] what`, on one line.
int run_main(int argc, char** argv, const std::function<void(int, char**)>& body);

}  // namespace adwp::apps
