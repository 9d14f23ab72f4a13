// What the checkers of kernels share: inputs, comparison with double precision under several schedules,
// counters.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "course/common/counted.cuh"
#include "course/common/report.h"
#include "cuda/emulation/scheduler.h"
#include "framework/core/random.h"

namespace adwp::course {

// Uniform in [-1, 1).
inline std::vector<float> random_floats(std::int64_t count, std::uint64_t stream) {
  Random random(16, Purpose::test, stream);
  std::vector<float> values(count);
  for (float& value : values) value = 2 * random.uniform() - 1;
  return values;
}

inline Global<const float> input(const std::vector<float>& values, const char* name) {
  return {values.data(), std::ssize(values), name};
}
inline Global<float> output(std::vector<float>& values, const char* name) {
  return {values.data(), std::ssize(values), name};
}
// What an output holds before the kernel runs.
inline std::vector<float> unwritten(std::int64_t count) { return std::vector<float>(count, std::nanf("")); }

// Equal, NaN like NaN.
inline bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Runs `kernel`, which returns what it has written, under several orders of threads, and compares each result
// with `expected`. `place` names element i for people.
inline void expect_under_schedules(const std::string& what, const std::vector<double>& expected,
                                   const std::function<std::vector<float>()>& kernel,
                                   const std::function<std::string(std::int64_t)>& place) {
  constexpr std::uint64_t schedules = 13;
  std::vector<std::vector<float>> found;
  for (std::uint64_t seed = 0; seed < schedules; ++seed) {
    emulation::options().seed = seed;
    found.push_back(kernel());
  }
  emulation::options().seed = 0;
  const bool varies =
      std::any_of(found.begin(), found.end(), [&](const auto& y) { return !same(y, found[0]); });
  for (const std::vector<float>& y : found) {
    for (std::int64_t i = 0; i < std::ssize(expected); ++i) {
      if (std::abs(y[i] - expected[i]) <= 1e-4 * std::max(1.0, std::abs(expected[i]))) continue;
      wrong("{}: {} is {:.6g}, expected {:.6g}{}{}", what, place(i), std::isnan(y[i]) ? std::nanf("") : y[i],
            expected[i], std::isnan(y[i]) ? "; NaN is what memory holds that nobody wrote" : "",
            varies ? "; the result depends on the order in which threads run: is a barrier missing between a "
                     "write to shared memory and another thread's read?"
                   : "");
    }
  }
}

// The accesses of `what` may cost `factor` times the fewest sectors, or rounds, that they can take.
inline void expect_cost(const std::string& what, const Counts& counts, Space space, double factor) {
  for (const AccessCount& row : counts.rows()) {
    if (row.space != space || row.cost <= factor * row.fewest) continue;
    wrong("{}: line {} takes {} {} for {}, expected about {}; {}\n{}", what, row.line, row.cost,
          space == Space::global ? "sectors" : "rounds", row.array, row.fewest,
          space == Space::global ? "threads that are neighbours in a warp should access neighbours in memory"
                                 : "threads of a warp ask one bank for different words",
          counts.text());
  }
}

}  // namespace adwp::course
