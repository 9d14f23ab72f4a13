#include "apps/common/devices.h"

#include "cpu/cpu_backend.h"

namespace adwp::apps {

Registry devices() {
  Registry registry;
  registry.add(
      "cpu", [] { return cpu::open_cpu(); }, [] { return true; });
  return registry;
}

}  // namespace adwp::apps
