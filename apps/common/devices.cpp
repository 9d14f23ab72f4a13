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
      "cuda", [options] { return cuda::open(options); }, [] { return cuda::obstacle(); });
#endif
#if defined(ADWP_HAS_CPU)
  const auto open_cpu = [threads, options] {
    if (options.precision == Precision::tf32) {
      fail_usage("device", "the CPU device multiplies in f32 or bf16, got --precision tf32");
    }
    const bool narrow = options.precision == Precision::bf16;
    if (narrow && !cpu::has_bf16()) {
      fail_usage("device", "this processor does not multiply in bf16 (AVX512_BF16); leave out --precision");
    }
    if (options.engine != Engine::hand) {
      fail_usage("device", "the CPU device has one engine, oneDNN; leave out --engine");
    }
    return cpu::open_cpu(threads, narrow ? cpu::Products::bf16 : cpu::Products::f32);
  };
  registry.add("cpu", open_cpu, [] { return std::string(); });
#endif
#if defined(ADWP_HAS_EMULATED)
  registry.add(
      "emulated", [options] { return emulated::open(options); }, [] { return emulated::obstacle(); });
#endif
  return registry;
}

std::string full_name(const Backend& backend) {
  return fmt::format("{} ({})", backend.name(), backend.description());
}

std::string bits_name(const Backend& backend) {
  return fmt::format("{} ({})", backend.name(), backend.identity());
}

std::unique_ptr<Arena> measured_arena(Backend& backend, const ArenaNeed& need, std::size_t megabytes,
                                      const std::function<void(const std::string&)>& say) {
  Arena counting = Arena::counting(backend);
  need.lay_out(counting);
  const std::size_t measured = counting.peak() + counting.peak() / need.margin;
  const std::size_t size = megabytes > 0 ? megabytes << 20 : measured;
  say(fmt::format("{}; device {}; arena {} MiB, {} measured", need.run, full_name(backend), size >> 20,
                  measured >> 20));
  if (size < measured) {
    fail_usage("arena", "too small, got --arena-mb {}, expected at least {}; or lower --batch", megabytes,
               (measured >> 20) + 1);
  }
  return std::make_unique<Arena>(backend, size);
}

}  // namespace adwp::apps
