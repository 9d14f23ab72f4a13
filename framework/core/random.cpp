#include "framework/core/random.h"

#include <cmath>
#include <numbers>

namespace adwp {

std::uint32_t Random::below(std::uint32_t n) {
  std::uint64_t product = std::uint64_t{bits()} * n;
  if (static_cast<std::uint32_t>(product) < n) {
    const std::uint32_t threshold = (0u - n) % n;
    while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{bits()} * n;
  }
  return product >> 32;
}

float Random::normal() {
  const float u = 1.0f - uniform();  // in (0, 1]
  const float v = uniform();
  return std::sqrt(-2.0f * std::log(u)) * std::cos(2.0f * std::numbers::pi_v<float> * v);
}

std::vector<std::int32_t> permutation(Random random, std::int64_t n) {
  std::vector<std::int32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  random.shuffle(order);
  return order;
}

}  // namespace adwp
