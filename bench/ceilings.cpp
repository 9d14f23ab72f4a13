#include "bench/ceilings.h"

#include <fmt/format.h>

#include <map>
#include <sstream>

#include "bench/harness.h"
#include "framework/core/random.h"

namespace adwp::bench {
namespace {

// Keeps the shortest time of each case and prints nothing.
class Shortest : public benchmark::BenchmarkReporter {
 public:
  Shortest() { SetOutputStream(&nowhere_); }
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      double& known =
          seconds.try_emplace(run.run_name.function_name, run.real_accumulated_time).first->second;
      known = std::min(known, run.real_accumulated_time);
    }
  }
  std::map<std::string, double> seconds;

 private:
  std::ostringstream nowhere_;
};

}  // namespace

Ceilings measure_ceilings(Backend& backend) {
  const bool slow = backend.name() == "emulated", gpu = backend.name() == "cuda";
  const std::int64_t elements = slow ? 1 << 16 : 1 << 25, side = slow ? 64 : gpu ? 4096 : 2048;
  Arena arena(backend, std::size_t{640} << 20);
  const Tensor from(arena, Shape{elements}), to(arena, Shape{elements});
  const Tensor a(arena, Shape{side, side}), b(arena, Shape{side, side}), c(arena, Shape{side, side});
  for (const Tensor& tensor : {from, a, b}) fill(tensor);
  auto add = [&](const char* name, std::function<void()> call) {
    add_case(name, [&backend, call](benchmark::State& state) { measure(state, backend, call); })
        ->Iterations(1)
        ->Repetitions(slow ? 2 : 7);
  };
  add("copy", [&] { backend.compute(CopyGradient{from, {to}}); });
  add("product", [&] { backend.compute(Gemm{.a = a, .b = b, .c = {c}}); });
  Shortest shortest;
  benchmark::RunSpecifiedBenchmarks(&shortest, "copy|product");
  benchmark::ClearRegisteredBenchmarks();
  if (shortest.seconds.empty()) return {1e10, 1e11};  // --benchmark_list_tests: nothing has run
  return {8.0 * elements / shortest.seconds["copy"], 2.0 * side * side * side / shortest.seconds["product"]};
}

void count_work(benchmark::State& state, const Ceilings& ceilings, double bytes, double flops,
                double seconds) {
  const double calls = static_cast<double>(state.iterations()) / seconds;
  state.counters["GB/s"] = bytes * calls * 1e-9;
  state.counters["GFLOP/s"] = flops * calls * 1e-9;
  state.counters["of_limit"] = ceilings.limit(bytes, flops) * calls;
}

void report_ceilings(const Ceilings& ceilings) {
  benchmark::AddCustomContext("copy GB/s", fmt::format("{:.1f}", ceilings.bandwidth * 1e-9));
  benchmark::AddCustomContext("product GFLOP/s", fmt::format("{:.1f}", ceilings.peak * 1e-9));
}

void fill(const Tensor& tensor) {
  Random random(1, Purpose::test);
  std::vector<float> values(static_cast<std::size_t>(std::min<std::int64_t>(tensor.elements(), 4096)));
  for (float& value : values) value = 0.5f + random.uniform();
  auto done = static_cast<std::int64_t>(values.size());
  tensor.view(0, Shape{done}).copy_from_host(std::span<const float>(values));
  while (done < tensor.elements()) {
    const std::int64_t count = std::min(done, tensor.elements() - done);
    tensor.view(done, Shape{count}).copy_from(tensor.view(0, Shape{count}));
    done += count;
  }
}

}  // namespace adwp::bench
