// How numbers are rounded to the types and by the instructions that a CPU has not.
#pragma once

#include <cstdint>

namespace adwp::executor {

float flushed(float x);                     // subnormal numbers to zero
float fma_down(float a, float b, float c);  // a b + c towards minus infinity
std::uint32_t to_tf32(float value);         // to nearest, ties away from zero: 10 bits of mantissa
std::uint32_t to_bf16(float value);         // to nearest, ties to even

// A sum as tensor cores are reported to make it (Fasi et al. 2021; Xie et al. 2024): every addend is cut off
// one bit below f32's last, counted from the largest of them, and the sum is cut off to f32.
double truncated_sum(const double* terms, int count);

}  // namespace adwp::executor
