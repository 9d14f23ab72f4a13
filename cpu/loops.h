// What the loops of this device share: threads, reductions in a fixed order, and ways to write.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "framework/backend/activation.h"
#include "framework/backend/specs.h"

namespace adwp::cpu {

inline constexpr std::int64_t most_lanes = 64;  // of a vector, unrolled loops with it

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
  // Long parts are cut between vectors: a compiler rounds the elements of a vector and those left over behind
  // the last one each in its way (which product it fuses with a sum), and which are left over must not depend
  // on the cuts.
  const auto cut = [&](std::int64_t part) {
    const std::int64_t at = n * part / parts;
    return part < parts && n / parts >= 16 * most_lanes ? at / most_lanes * most_lanes : at;
  };
#pragma omp parallel for schedule(static, 1) num_threads(parts)
  for (std::int64_t part = 0; part < parts; ++part) body(cut(part), cut(part + 1));
}

// Within, this thread has one thread: oneDNN makes primitives for it, and runs them on it.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// Calls body(part) for 0 .. parts, each on one thread, oneDNN's work in it too. oneDNN by itself cuts sums by
// the number of threads; cut into parts whose number does not depend on it, they are the same for any number.
template <typename Body>
void on_parts(std::int64_t parts, Body&& body) {
  const std::int64_t threads = std::min<std::int64_t>(parts, omp_get_max_threads());
  if (threads <= 1) {
    const OneThread alone;
    for (std::int64_t part = 0; part < parts; ++part) body(part);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::int64_t part = 0; part < parts; ++part) body(part);
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

// Sums of `width` quantities over the rows, in double. Rows are summed in fixed parts of the workspace,
// floats (parts, width); body(row, sums) adds one row to a part's sums.
template <typename Body>
std::vector<double> row_sums(std::int64_t rows, std::int64_t width, void* workspace, Body&& body) {
  const std::int64_t parts = part_count(rows);
  auto* partial = static_cast<float*>(workspace);
  const std::int64_t grain =
      std::max<std::int64_t>(1, parts * grain_for(width) / std::max<std::int64_t>(rows, 1));
  parallel_for(parts, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      float* sums = partial + part * width;
      std::fill_n(sums, width, 0.0f);
      for (std::int64_t row = rows * part / parts; row < rows * (part + 1) / parts; ++row) body(row, sums);
    }
  });
  std::vector<double> totals(width);
  for (std::int64_t part = 0; part < parts; ++part) {
    for (std::int64_t c = 0; c < width; ++c) totals[c] += partial[part * width + c];
  }
  return totals;
}

inline void add_to(float* to, const float* from, std::int64_t count) {
  parallel_for(count, 16384, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
  });
}

// Writes or sums, decided outside of the loop as well.
template <bool accumulate>
inline void put(float& target, float value) {
  target = accumulate ? target + value : value;
}
template <typename Body>
void dispatch(GradMode mode, Body&& body) {
  if (mode == GradMode::accumulate) return body.template operator()<true>();
  return body.template operator()<false>();
}

}  // namespace adwp::cpu
