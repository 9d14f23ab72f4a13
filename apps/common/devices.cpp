#include "apps/common/devices.h"

#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "framework/core/error.h"

namespace adwp::apps {

Registry devices([[maybe_unused]] int threads, const std::string& precision, const std::string& engine) {
  [[maybe_unused]] const GpuOptions options{.precision = precision == "bf16"   ? Precision::bf16
                                        : precision == "tf32" ? Precision::tf32
                                                              : Precision::f32,
                           .engine = engine == "vendor" ? Engine::vendor
                                     : engine == "auto" ? Engine::automatic
                                                        : Engine::hand};
  Registry registry;
#if defined(ADWP_HAS_CUDA)
  registry.add(
      "cuda", [options] { return cuda::open(options); }, [] { return cuda::usable(); });
#endif
#if defined(ADWP_HAS_CPU)
  const auto open_cpu = [threads, options] {
    if (options.precision != Precision::f32) {
      fail_usage("device", "the CPU device multiplies in f32 alone; leave out --precision");
    }
    if (options.engine != Engine::hand) {
      fail_usage("device", "the CPU device has one engine, oneDNN; leave out --engine");
    }
    return cpu::open_cpu(threads);
  };
  registry.add("cpu", open_cpu, [] { return true; });
#endif
#if defined(ADWP_HAS_EMULATED)
  registry.add(
      "emulated", [options] { return emulated::open(options); }, [] { return true; });
#endif
  return registry;
}

std::string full_name(const Backend& backend) {
  return fmt::format("{} ({})", backend.name(), backend.description());
}

}  // namespace adwp::apps
