// What the timing programs of this folder share on top of Google Benchmark.
//
// Cases are registered with it and timed by its loop; each iteration reports the seconds of the device's own
// clock (Backend::seconds). Repetitions, filters, aggregates, JSON: its options, --benchmark_...
#pragma once

#include <benchmark/benchmark.h>

#include "bench/ceilings.h"
#include "bench/command_line.h"

namespace adwp::bench {

// Takes Google Benchmark's options off the command line and parses the rest. False: help was printed.
inline bool initialize(CLI::App& app, int argc, char** argv) {
  static const CLI::App* ours = nullptr;  // the help that the library calls for takes no argument
  ours = &app;
  benchmark::Initialize(&argc, argv, [] {
    fmt::print("{}\nOptions of Google Benchmark:\n", ours->help());
    benchmark::PrintDefaultHelp();
  });
  return parse(app, argc, argv);
}

inline benchmark::internal::Benchmark* add_case(const std::string& name,
                                                std::function<void(benchmark::State&)> body) {
  return benchmark::RegisterBenchmark(name.c_str(), std::move(body))->UseManualTime();
}

// Times `call`; `before` comes before each, untimed. Seconds of all iterations.
template <typename Call, typename Before>
double measure(benchmark::State& state, Backend& backend, const Call& call, const Before& before) {
  double total = 0;
  for ([[maybe_unused]] auto iteration : state) {
    before();
    const double seconds = backend.seconds(call);
    state.SetIterationTime(seconds);
    total += seconds;
  }
  return total;
}
template <typename Call>
double measure(benchmark::State& state, Backend& backend, const Call& call) {
  return measure(state, backend, call, [] {});
}

// Says the device in the head of the report.
inline void report_device(const Backend& backend) {
  benchmark::AddCustomContext("device", apps::full_name(backend));
}

// Runs what is registered. What the devices have to say of it goes to stderr: stdout may be JSON.
inline void run_cases(std::initializer_list<const Backend*> backends) {
  benchmark::RunSpecifiedBenchmarks();
  for (const Backend* backend : backends) {
    for (const std::string& note : backend->notes()) fmt::print(stderr, "{}\n", note);
  }
}

}  // namespace adwp::bench
