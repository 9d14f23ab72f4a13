// What a device can do at best, measured: what the figures of a bench are held against.
#pragma once

#include <algorithm>
#include <vector>

#include "framework/backend/backend.h"
#include "framework/core/random.h"

namespace adwp::bench {

struct Ceilings {
  double bandwidth = 0, peak = 0;  // bytes and operations a second

  // The least time for a method that moves `bytes` and computes `flops`.
  double limit(double bytes, double flops) const { return std::max(bytes / bandwidth, flops / peak); }
};

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Uniform in [0.5, 1.5), 4096 numbers over and over: none of them zero, which some devices multiply faster,
// and all of them possible variances.
inline Tensor random_tensor(Arena& arena, Shape shape) {
  Tensor tensor(arena, shape);
  Random random(1, Purpose::test);
  std::vector<float> values(static_cast<std::size_t>(std::min<std::int64_t>(shape.elements(), 4096)));
  for (float& value : values) value = 0.5f + random.uniform();
  auto done = static_cast<std::int64_t>(values.size());
  tensor.view(0, Shape{done}).copy_from_host(std::span<const float>(values));
  while (done < shape.elements()) {
    const std::int64_t count = std::min(done, shape.elements() - done);
    tensor.view(done, Shape{count}).copy_from(tensor.view(0, Shape{count}));
    done += count;
  }
  return tensor;
}

// Bytes a second of a large copy (each byte read and written), operations a second of a large matrix
// product; the best of several.
inline Ceilings measure_ceilings(Backend& backend) {
  const bool slow = backend.name() == "emulated", gpu = backend.name() == "cuda";
  const std::int64_t elements = slow ? 1 << 16 : 1 << 25, side = slow ? 64 : gpu ? 4096 : 2048;
  Arena arena(backend, std::size_t{640} << 20);
  const Tensor from = random_tensor(arena, Shape{elements}), to(arena, Shape{elements});
  const Tensor a = random_tensor(arena, Shape{side, side}), b = random_tensor(arena, Shape{side, side});
  const Tensor c(arena, Shape{side, side});
  double copy = 1e30, product = 1e30;
  for (int i = 0; i < (slow ? 2 : 7); ++i) {
    copy = std::min(copy, backend.seconds([&] { backend.copy_gradient(from, to, GradMode::overwrite); }));
    product = std::min(product, backend.seconds([&] {
      backend.gemm({}, a, b, Tensor(), Activation::none, c, GradMode::overwrite);
    }));
  }
  return {8.0 * static_cast<double>(elements) / copy,
          2.0 * static_cast<double>(side * side * side) / product};
}

}  // namespace adwp::bench
