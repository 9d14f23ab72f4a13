// Loops over several threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace adwp::cpu {

// Calls body(begin, end) on disjoint parts of 0 .. n, each of at least `grain` iterations. What is
// computed must not depend on where the parts are cut.
template <typename Body>
void parallel_for(std::int64_t n, std::int64_t grain, Body&& body) {
  const std::int64_t parts =
      std::clamp<std::int64_t>(n / std::max<std::int64_t>(grain, 1), 1, omp_get_max_threads());
  if (parts == 1) {
    if (n > 0) body(std::int64_t{0}, n);
    return;
  }
#pragma omp parallel for schedule(static, 1) num_threads(parts)
  for (std::int64_t part = 0; part < parts; ++part) {
    body(n * part / parts, n * (part + 1) / parts);
  }
}

// Iterations that are worth another thread when each handles `elements` numbers.
inline std::int64_t grain_for(std::int64_t elements) {
  return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(elements, 1));
}

// Reductions cut their input into this many parts, whatever the number of threads, and merge them in
// order: the same sum for any number of threads.
inline constexpr std::int64_t reduction_parts = 32;
inline std::int64_t part_count(std::int64_t rows, std::int64_t least_rows = 64) {
  return std::clamp<std::int64_t>(rows / least_rows, 1, reduction_parts);
}

}  // namespace adwp::cpu
