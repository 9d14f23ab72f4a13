#include "apps/common/devices.h"

#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "framework/core/error.h"

namespace adwp::apps {

Registry devices([[maybe_unused]] int threads, const std::string& precision) {
  const Precision math = precision == "bf16"   ? Precision::bf16
                         : precision == "tf32" ? Precision::tf32
                                               : Precision::f32;
  Registry registry;
#if defined(ADWP_HAS_CUDA)
  registry.add(
      "cuda", [math] { return cuda::open(math); }, [] { return cuda::usable(); });
#endif
#if defined(ADWP_HAS_CPU)
  const auto open_cpu = [threads, math] {
    if (math != Precision::f32) {
      fail_usage("device", "the CPU device multiplies in f32 alone; leave out --precision");
    }
    return cpu::open_cpu(threads);
  };
  registry.add("cpu", open_cpu, [] { return true; });
#endif
  registry.add(
      "emulated", [math] { return emulated::open(math); }, [] { return true; });
  return registry;
}

}  // namespace adwp::apps
