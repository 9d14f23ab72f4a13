#include "tests/cuda/ptx/rounding.h"

#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>

namespace adwp::executor {

float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }

// The product is exact in double. The error of the sum in double (Knuth's two-sum) tells on which side of the
// sum the exact value lies.
float fma_down(float a, float b, float c) {
  const double product = double{a} * double{b}, sum = product + double{c};
  if (!std::isfinite(sum)) return std::fma(a, b, c);
  const double part = sum - product;
  const double error = (product - (sum - part)) + (double{c} - part);
  const float nearest = static_cast<float>(sum);
  const bool above = double{nearest} > sum || (double{nearest} == sum && error < 0);
  return above ? std::nextafter(nearest, -std::numeric_limits<float>::infinity()) : nearest;
}

std::uint32_t to_tf32(float value) {
  if (!std::isfinite(value)) return std::bit_cast<std::uint32_t>(value);
  // Half of the last bit kept is added to the magnitude: what carries past the mantissa raises the exponent.
  return (std::bit_cast<std::uint32_t>(value) + 0x1000u) & 0xFFFFE000u;
}

std::uint32_t to_bf16(float value) {
  if (std::isnan(value)) return 0x7FFF;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value), even = bits >> 16 & 1;
  return (bits + 0x7FFFu + even) >> 16;
}

double truncated_sum(const double* terms, int count) {
  constexpr int none = std::numeric_limits<int>::min();
  int most = none;
  for (int i = 0; i < count; ++i) {
    if (!std::isfinite(terms[i])) return std::numeric_limits<double>::quiet_NaN();
    if (terms[i] != 0) most = std::max(most, std::ilogb(terms[i]));
  }
  if (most == none) return 0;
  const double unit = std::ldexp(1.0, most - 24);
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += std::trunc(terms[i] / unit) * unit;
  if (sum == 0) return 0;
  const double last = std::ldexp(1.0, std::ilogb(sum) - 23);
  return std::trunc(sum / last) * last;
}

}  // namespace adwp::executor
