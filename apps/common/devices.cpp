#include "apps/common/devices.h"

#include "cpu/cpu_backend.h"

namespace adwp::apps {

Registry devices(int threads) {
  Registry registry;
  registry.add(
      "cpu", [threads] { return cpu::open_cpu(threads); }, [] { return true; });
  return registry;
}

}  // namespace adwp::apps
