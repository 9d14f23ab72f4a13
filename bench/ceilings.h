// What a device can do at best, measured: what the figures of a bench are held against.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "framework/backend/backend.h"

namespace adwp::bench {

struct Ceilings {
  double bandwidth = 0, peak = 0;  // bytes and operations a second

  // The least time for an operator that moves `bytes` and computes `flops`.
  double limit(double bytes, double flops) const { return std::max(bytes / bandwidth, flops / peak); }
};

// Bytes a second of a large copy (each byte read and written), operations a second of a large matrix product;
// the best of several.
Ceilings measure_ceilings(Backend& backend);

// GB/s, GFLOP/s and the share of the ceiling that `iterations` calls of that work reach in `seconds`.
void count_work(benchmark::State& state, const Ceilings& ceilings, double bytes, double flops,
                double seconds);

// Says them in the head of the report.
void report_ceilings(const Ceilings& ceilings);

// Uniform in [0.5, 1.5), 4096 numbers over and over: none of them zero, which some devices multiply faster,
// and all of them possible variances.
void fill(const Tensor& tensor);

}  // namespace adwp::bench
