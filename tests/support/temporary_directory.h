// Where tests write.
#pragma once

#include "framework/io/temporary_directory.h"

namespace adwp::test {

using io::TemporaryDirectory;

}  // namespace adwp::test
