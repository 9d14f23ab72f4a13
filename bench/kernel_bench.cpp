// Every kernel on the shapes that the networks of a space give it.
//
//   kernel_bench [--space SPACE] [--architectures N] [--batch N] [--image PIXELS] [--top N]
//                [--device D] [--precision P] [--engine E] [--threads N] [--seed N] [--benchmark_...]
//
// Counts what a training step of random architectures calls, by method and shape, weighs each by its calls
// times the least time that the device could take (bench/ceilings.h), and registers the heaviest of those
// that pass the filter with Google Benchmark as METHOD/SHAPE/VARIANT, without spaces or brackets, so that no
// filter needs quoting:
//
//   conv2d_forward/depthwise_3x3_s1_64x32x32x48_to_48/hand
//
// Variants: the engine asked for; `apart`, convolution and batch norm one after the other where the operator
// joins them; the lower steps of the ladder, `tiled` and `naive`, which multiply in f32 whatever the
// precision; and `vendor`, cuDNN and cuBLAS, where this binary has them. On cuda the second-level cache is
// overwritten before each call. `of_limit`: the least time over the measured one; `calls`: in one training
// step.
#include <regex>

#include "apps/common/main.h"
#include "bench/cases/space_cases.h"
#include "bench/harness.h"
#include "cuda/cuda_backend.h"

namespace {

using namespace adwp;
using bench::Kernel;
using bench::SpaceKernel;

struct Options : bench::DeviceOptions {
  std::string space = "cifar";
  std::int64_t architectures = 50, batch = 0, image = 0, top = 32;
  std::uint64_t seed = 0;
};

// A way to compute the same thing.
struct Variant {
  std::string name;
  std::shared_ptr<Backend> backend;
  bool apart = false, only_products = false;

  bool does(const SpaceKernel& k) const {
    return (!apart || k.kernel.apart != nullptr) && (!only_products || k.facts.product());
  }
  void compute(const SpaceKernel& k, const bench::Tensors& operands) const {
    (apart ? k.kernel.apart : k.kernel.compute)(*backend, operands);
  }
};

// The device as the options have it, then what its products are compared with.
std::vector<Variant> variants(const Options& options) {
  std::vector<Variant> all{{options.engine, bench::open(options)}};
  const std::string device = all.front().backend->name();
  if (device == "cpu") return all;
  all.push_back({"apart", all.front().backend, true});
  for (const auto& [name, level] : {std::pair{"tiled", KernelLevel::tiled}, {"naive", KernelLevel::naive}}) {
    const GpuOptions step{.level = level};
    std::shared_ptr<Backend> backend;
#if defined(ADWP_HAS_CUDA)
    if (device == "cuda") backend = cuda::open(step);
#endif
    if (backend == nullptr) backend = emulated::open(step);
    all.push_back({name, backend, false, true});
  }
  if (device == "emulated" || options.engine != "hand") return all;
  try {
    all.push_back(
        {"vendor", apps::devices(options.threads, options.precision, "vendor").open(device), false, true});
  } catch (const Error& error) {
    fmt::print(stderr, "no engine vendor to compare with: {}\n", error.what());
  }
  return all;
}

std::string case_name(const SpaceKernel& k, const Variant& way) {
  return fmt::format("{}/{}/{}", k.facts.method, k.facts.shape, way.name);
}

// The operands, and what is written over to empty the second-level cache: 256 MiB; no GPU of today has more.
struct Memory {
  Memory(const Variant& variant, const SpaceKernel& k, Arena& arena)
      : flush(arena, Shape{variant.backend->name() == "cuda" ? 256 << 18 : 0}) {
    for (const Shape& shape : k.kernel.operands) operands.emplace_back(arena, shape);
  }
  Tensor flush;
  bench::Tensors operands;
};

void time(benchmark::State& state, const Variant& variant, const SpaceKernel& k,
          const bench::Ceilings& ceilings) {
  Backend& backend = *variant.backend;
  Arena counting = Arena::counting(backend);
  variant.compute(k, Memory(variant, k, counting).operands);
  Arena arena(backend, counting.peak());
  const Memory memory(variant, k, arena);
  for (const Tensor& operand : memory.operands) bench::fill(operand);
  auto call = [&] { variant.compute(k, memory.operands); };
  call();
  // Overwriting also gives the device something to do while the host issues the call.
  const double seconds = bench::measure(state, backend, call, [&] { memory.flush.zero(); });
  bench::count_work(state, ceilings, k.facts.bytes, k.facts.flops, seconds);
  state.counters["calls"] = k.calls;
}

// Drops the kernels of which --benchmark_filter takes no variant.
void apply_filter(std::vector<SpaceKernel>& kernels, const std::vector<Variant>& ways) {
  std::string filter = benchmark::GetBenchmarkFilter();
  const bool excludes = filter.starts_with("-");
  if (excludes) filter.erase(0, 1);
  if (filter.empty() || filter == "all") return;
  const std::regex pattern(filter, std::regex::extended);
  std::erase_if(kernels, [&](const SpaceKernel& k) {
    return std::none_of(ways.begin(), ways.end(), [&](const Variant& way) {
      return way.does(k) && std::regex_search(case_name(k, way) + "/manual_time", pattern) != excludes;
    });
  });
}

// The `top` kernels that would take longest at the device's limits, and their share of all that time.
double keep_heaviest(std::vector<SpaceKernel>& kernels, const bench::Ceilings& ceilings, std::int64_t top) {
  auto weight = [&](const SpaceKernel& k) { return k.calls * ceilings.limit(k.facts.bytes, k.facts.flops); };
  auto total = [&] {
    double sum = 0;
    for (const SpaceKernel& k : kernels) sum += weight(k);
    return sum;
  };
  std::stable_sort(kernels.begin(), kernels.end(),
                   [&](const auto& a, const auto& b) { return weight(a) > weight(b); });
  const double all = total();
  kernels.resize(std::min(kernels.size(), static_cast<std::size_t>(top)));
  return all > 0 ? total() / all : 0;
}

void run(Options options) {
  const std::vector<Variant> ways = variants(options);
  Backend& backend = *ways.front().backend;
  const bool slow = backend.name() == "emulated";
  if (options.batch == 0) options.batch = slow ? 2 : 64;
  if (options.image == 0) options.image = slow ? 8 : 32;
  bench::Ceilings ceilings = bench::measure_ceilings(backend);
  if (ways.back().name == "vendor") {  // the ceiling is the better product of the two
    ceilings.peak = std::max(ceilings.peak, bench::measure_ceilings(*ways.back().backend).peak);
  }
  std::vector<SpaceKernel> kernels =
      bench::sample_kernels(backend, nas::SearchSpace::open(options.space), {.image_size = options.image},
                            options.batch, options.architectures, options.seed);
  apply_filter(kernels, ways);
  const std::size_t distinct = kernels.size();
  const double share = keep_heaviest(kernels, ceilings, options.top);
  bench::report_device(backend);
  bench::report_ceilings(ceilings);
  benchmark::AddCustomContext("space", options.space);
  benchmark::AddCustomContext("batch",
                              fmt::format("{} of {} x {}", options.batch, options.image, options.image));
  benchmark::AddCustomContext(
      "kernels", fmt::format("{} of {}, {:.0f} % of their time at the device's limits", kernels.size(),
                             distinct, 100 * share));
  for (const SpaceKernel& k : kernels) {
    for (const Variant& way : ways) {
      if (!way.does(k)) continue;
      bench::add_case(case_name(k, way), [&](benchmark::State& state) {
        time(state, way, k, ceilings);
      })->Unit(benchmark::kMicrosecond);
    }
  }
  bench::run_cases({&backend, ways.back().backend.get()});
}

void parse_and_run(int argc, char** argv) {
  Options options;
  CLI::App app("Times every kernel on the shapes that the networks of a space give it.");
  bench::declare(app, options);
  app.add_option("--space", options.space);
  app.add_option("--architectures", options.architectures)->check(CLI::Range(1, 10000));
  app.add_option("--batch", options.batch, "Default: 64, on the device emulated 2")
      ->check(CLI::Range(1, 4096));
  app.add_option("--image", options.image, "Default: 32, on the device emulated 8")
      ->check(CLI::Range(4, 512));
  app.add_option("--top", options.top)->check(CLI::Range(1, 10000));
  app.add_option("--seed", options.seed);
  if (!bench::initialize(app, argc, argv)) return;
  run(options);
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, parse_and_run); }
