// Every kernel on the shapes that the networks of a space give it, the ones that matter most first.
//
//   kernel_bench [--space SPACE] [--architectures N] [--batch N] [--image PIXELS] [--top N]
//                [--repetitions N] [--device D] [--precision P] [--engine E] [--threads N] [--seed N]
//                [--json FILE]
//
// Counts what a training step of random architectures calls, by method and shape, and weighs each by its
// calls times the least time that the device could take (bench/ceilings.h). The heaviest are timed: medians,
// after a warm-up, on cuda by its own clock and with the second-level cache overwritten before each call.
// `of limit` is that least time over the measured one. Products and depthwise convolutions are timed on
// each step of their ladder, beside one another in the same run, and on cuda by cuDNN and cuBLAS, where this
// binary has them. The naive and the tiled step multiply in f32 whatever the precision. `apart`: convolution
// and batch norm by themselves, where one method joins them.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/common/main.h"
#include "bench/ceilings.h"
#include "bench/command_line.h"
#include "bench/kernel_cases.h"
#include "cuda/cuda_backend.h"
#include "framework/io/atomic_file.h"

namespace {

using namespace adwp;
using Json = nlohmann::ordered_json;

struct Options : bench::DeviceOptions {
  std::string space = "cifar", json;
  std::int64_t architectures = 50, batch = 64, image = 32, top = 32, repetitions = 15;
  std::uint64_t seed = 0;
};

// A way to compute the same thing.
struct Variant {
  std::string name;
  std::shared_ptr<Backend> backend;
  bool apart = false;  // methods that were joined, one after the other, and those alone

  bool does(const bench::KernelCase& kernel) const { return !apart || kernel.apart != nullptr; }
  void call(const bench::KernelCase& kernel, const std::vector<Tensor>& operands) const {
    if (does(kernel)) (apart ? kernel.apart : kernel.call)(*backend, operands);
  }
};

// The device as the options have it, then what its products are compared with.
std::vector<Variant> variants(const Options& options) {
  std::vector<Variant> all;
  all.push_back({options.engine, bench::open(options)});
  const std::string device = all.front().backend->name();
  if (device == "cpu") return all;
  all.push_back({"apart", all.front().backend, true});
  auto open_level = [&](KernelLevel level) {
#if defined(ADWP_HAS_CUDA)
    if (device == "cuda") return cuda::open({.level = level});
#endif
    return emulated::open({.level = level});
  };
  all.push_back({"tiled", open_level(KernelLevel::tiled)});
  all.push_back({"naive", open_level(KernelLevel::naive)});
  if (device == "emulated" || options.engine != "hand") return all;
  try {
    all.push_back({"vendor", apps::devices(options.threads, options.precision, "vendor").open(device)});
  } catch (const Error& error) {
    fmt::print("no engine vendor to compare with: {}\n", error.what());
  }
  return all;
}

// What is written over to empty the second-level cache: 256 MiB; no GPU of today has more.
Tensor flush_tensor(Backend& backend, Arena& arena) {
  return Tensor(arena, Shape{backend.name() == "cuda" ? 256 << 18 : 0});
}

std::vector<Tensor> operands_of(const bench::KernelCase& kernel, Arena& arena) {
  std::vector<Tensor> operands;
  for (const Shape& shape : kernel.operands) operands.push_back(bench::random_tensor(arena, shape));
  return operands;
}

// Bytes of arena that the largest case takes, workspace included.
std::size_t need(const Variant& variant, const std::vector<bench::KernelCase>& kernels) {
  Backend& backend = *variant.backend;
  Arena arena = Arena::counting(backend);
  const Tensor flush = flush_tensor(backend, arena);
  for (const bench::KernelCase& kernel : kernels) {
    const Arena::Frame frame(arena);
    variant.call(kernel, operands_of(kernel, arena));
  }
  return arena.peak();
}

// Median seconds of one call.
double time(const Variant& variant, Arena& arena, const Tensor& flush, const bench::KernelCase& kernel,
            std::int64_t repetitions) {
  Backend& backend = *variant.backend;
  const Arena::Frame frame(arena);
  const std::vector<Tensor> operands = operands_of(kernel, arena);
  auto call = [&] { variant.call(kernel, operands); };
  call();
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < repetitions; ++i) {
    flush.zero();  // which also gives the device something to do while the host issues the call
    seconds.push_back(backend.seconds(call));
  }
  return bench::median(seconds);
}

// The `top` cases that would take longest at the device's limits, and their share of all that time.
double keep_heaviest(std::vector<bench::KernelCase>& kernels, const bench::Ceilings& ceilings,
                     std::int64_t top) {
  auto weight = [&](const bench::KernelCase& k) { return k.calls * ceilings.limit(k.bytes(), k.flops); };
  auto total = [&] {
    double sum = 0;
    for (const bench::KernelCase& kernel : kernels) sum += weight(kernel);
    return sum;
  };
  std::stable_sort(kernels.begin(), kernels.end(),
                   [&](const auto& a, const auto& b) { return weight(a) > weight(b); });
  const double all = total();
  kernels.resize(std::min(kernels.size(), static_cast<std::size_t>(top)));
  return total() / all;
}

using Times = std::vector<double>;  // by case; 0: not timed

Times time_all(const Variant& variant, const std::vector<bench::KernelCase>& kernels, bool products_only,
               std::int64_t repetitions) {
  Backend& backend = *variant.backend;
  Arena arena(backend, need(variant, kernels));
  const Tensor flush = flush_tensor(backend, arena);
  Times times;
  for (const bench::KernelCase& kernel : kernels) {
    const bool wanted = variant.does(kernel) && (kernel.product || !products_only);
    times.push_back(wanted ? time(variant, arena, flush, kernel, repetitions) : 0);
  }
  return times;
}

Json report(const std::vector<bench::KernelCase>& kernels, const bench::Ceilings& ceilings,
            const std::vector<Variant>& variants, const std::vector<Times>& times) {
  fmt::print("{:<26} {:<52} {:>6} {:>10} {:>8} {:>9} {:>9}", "method", "shape", "calls", "us", "GB/s",
             "GFLOP/s", "of limit");
  for (std::size_t v = 1; v < variants.size(); ++v) fmt::print(" {:>10}", variants[v].name + " us");
  fmt::print("\n");
  Json rows = Json::array();
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const bench::KernelCase& kernel = kernels[i];
    const double seconds = times[0][i], of_limit = ceilings.limit(kernel.bytes(), kernel.flops) / seconds;
    fmt::print("{:<26} {:<52} {:>6.2f} {:>10.2f} {:>8.1f} {:>9.1f} {:>8.0f}%", kernel.method, kernel.shape,
               kernel.calls, seconds * 1e6, kernel.bytes() / seconds * 1e-9, kernel.flops / seconds * 1e-9,
               100 * of_limit);
    Json by_variant;
    for (std::size_t v = 0; v < variants.size(); ++v) {
      if (times[v][i] > 0) by_variant[variants[v].name] = times[v][i];
      if (v > 0) fmt::print(" {:>10}", times[v][i] > 0 ? fmt::format("{:.2f}", times[v][i] * 1e6) : "-");
    }
    fmt::print("\n");
    rows.push_back({{"method", kernel.method},
                    {"shape", kernel.shape},
                    {"calls", kernel.calls},
                    {"bytes", kernel.bytes()},
                    {"flops", kernel.flops},
                    {"of_limit", of_limit},
                    {"seconds", by_variant}});
  }
  return rows;
}

void run(const Options& options) {
  const std::vector<Variant> ways = variants(options);
  Backend& backend = *ways.front().backend;
  bench::Ceilings ceilings = bench::measure_ceilings(backend);
  if (ways.back().name == "vendor") {  // the ceiling is the better product of the two
    ceilings.peak = std::max(ceilings.peak, bench::measure_ceilings(*ways.back().backend).peak);
  }
  std::vector<bench::KernelCase> kernels =
      bench::sample_kernels(nas::SearchSpace::open(options.space), {.image_size = options.image},
                            options.batch, options.architectures, options.seed);
  const std::size_t distinct = kernels.size();
  const double share = keep_heaviest(kernels, ceilings, options.top);
  fmt::print("device {} ({}): copy {:.1f} GB/s, matrix product {:.1f} GFLOP/s\n", backend.name(),
             backend.description(), ceilings.bandwidth * 1e-9, ceilings.peak * 1e-9);
  fmt::print(
      "{} architectures of {}, batch {} of {} x {}: {} kernels and shapes; the {} below are {:.0f} % of "
      "a training step at the device's limits\n\n",
      options.architectures, options.space, options.batch, options.image, options.image, distinct,
      kernels.size(), 100 * share);
  const std::int64_t repetitions = backend.name() == "emulated" ? 1 : options.repetitions;
  std::vector<Times> times;
  for (const Variant& way : ways) {
    times.push_back(time_all(way, kernels, &way != &ways.front(), repetitions));
  }
  const Json rows = report(kernels, ceilings, ways, times);
  Json notes = Json::object();
  for (const Variant& way : ways) {
    if (way.apart) continue;  // the first one's backend
    const std::vector<std::string> lines = way.backend->notes();
    for (const std::string& line : lines) fmt::print("{}: {}\n", way.name, line);
    if (!lines.empty()) notes[way.name] = lines;
  }
  if (options.json.empty()) return;
  const Json json{{"device", backend.description()},
                  {"space", options.space},
                  {"batch", options.batch},
                  {"image", options.image},
                  {"architectures", options.architectures},
                  {"bandwidth", ceilings.bandwidth},
                  {"peak", ceilings.peak},
                  {"share", share},
                  {"kernels", rows},
                  {"notes", notes}};
  io::write_atomically(options.json, json.dump(1) + "\n");
}

void parse_and_run(int argc, char** argv) {
  Options options;
  CLI::App app("Times every kernel on the shapes that the networks of a space give it.");
  bench::declare(app, options);
  app.add_option("--space", options.space);
  app.add_option("--architectures", options.architectures)->check(CLI::Range(1, 10000));
  app.add_option("--batch", options.batch)->check(CLI::Range(1, 4096));
  app.add_option("--image", options.image)->check(CLI::Range(4, 512));
  app.add_option("--top", options.top)->check(CLI::Range(1, 10000));
  app.add_option("--repetitions", options.repetitions)->check(CLI::Range(1, 1000));
  app.add_option("--seed", options.seed);
  app.add_option("--json", options.json, "Write the table there as well");
  if (!bench::parse(app, argc, argv)) return;
  run(options);
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, parse_and_run); }
