// How numbers are rounded to the types and by the instructions that a CPU has not.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace adwp::executor {

float flushed(float x);                     // subnormal numbers to zero
float fma_down(float a, float b, float c);  // a b + c towards minus infinity
// Towards zero, to the range of T; NaN becomes 0.
template <typename T>
T to_integer(float x) {
  constexpr double most = std::numeric_limits<T>::max();  // of 64 bits: 2^63
  if (std::isnan(x)) return 0;
  if (x >= most) return std::numeric_limits<T>::max();
  return x <= std::numeric_limits<T>::min() ? std::numeric_limits<T>::min() : static_cast<T>(x);
}
std::uint32_t to_tf32(float value);  // to nearest, ties away from zero: 10 bits of mantissa
std::uint32_t to_bf16(float value);  // to nearest, ties to even

// A sum as tensor cores are reported to make it (Fasi et al. 2021; Xie et al. 2024): every addend is cut off
// one bit below f32's last, counted from the largest of them, and the sum is cut off to f32.
double truncated_sum(const double* terms, int count);

}  // namespace adwp::executor
