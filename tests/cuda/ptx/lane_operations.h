// Instructions that compute a result of each lane from registers of the same lane: what their tables are made
// of.
#pragma once

#include <cmath>
#include <string>
#include <type_traits>
#include <unordered_map>

#include "tests/cuda/ptx/operations.h"

namespace adwp::executor {

using Table = std::unordered_map<std::string, Operation>;
const Table& floating_point();
const Table& integers();

using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using f32 = float;
using f64 = double;

template <typename D, typename A, auto F>
void unary(Warp& warp, const Instruction& in, u32 lanes) {
  D* d = operand<D>(warp, in, 0);
  const A* a = operand<A>(warp, in, 1);
  each(lanes, [&](int lane) { d[lane] = F(a[lane]); });
}
template <typename D, typename A, typename B, auto F>
void binary(Warp& warp, const Instruction& in, u32 lanes) {
  D* d = operand<D>(warp, in, 0);
  const A* a = operand<A>(warp, in, 1);
  const B* b = operand<B>(warp, in, 2);
  each(lanes, [&](int lane) { d[lane] = F(a[lane], b[lane]); });
}
template <typename D, typename A, typename B, typename C, auto F>
void ternary(Warp& warp, const Instruction& in, u32 lanes) {
  D* d = operand<D>(warp, in, 0);
  const A* a = operand<A>(warp, in, 1);
  const B* b = operand<B>(warp, in, 2);
  const C* c = operand<C>(warp, in, 3);
  each(lanes, [&](int lane) { d[lane] = F(a[lane], b[lane], c[lane]); });
}

// max and min: of a number and a NaN the number, of zeros max the positive one.
template <typename T>
T largest(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a)) return b;
    if (std::isnan(b)) return a;
    if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  }
  return a > b ? a : b;
}
template <typename T>
T smallest(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a)) return b;
    if (std::isnan(b)) return a;
    if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  }
  return a < b ? a : b;
}

// OP1("name", type of the result, of a, the result's formula), and so on: entries of a Table.
#define WIDTH(T) (sizeof(T) == 8 ? '8' : '4')
#define OP1(name, D, A, body)                                                          \
  {                                                                                    \
    name, {                                                                            \
      unary<D, A, [](A a) -> D { return (body); }>, std::string { WIDTH(D), WIDTH(A) } \
    }                                                                                  \
  }
#define OP2(name, D, A, B, body)                                                                          \
  {                                                                                                       \
    name, {                                                                                               \
      binary<D, A, B, [](A a, B b) -> D { return (body); }>, std::string { WIDTH(D), WIDTH(A), WIDTH(B) } \
    }                                                                                                     \
  }
#define OP3(name, D, A, B, C, body)                                                 \
  {                                                                                 \
    name, {                                                                         \
      ternary<D, A, B, C, [](A a, B b, C c) -> D { return (body); }>, std::string { \
        WIDTH(D), WIDTH(A), WIDTH(B), WIDTH(C)                                      \
      }                                                                             \
    }                                                                               \
  }
// False where one is a NaN.
#define COMPARE(type, T)                                                                 \
  OP2("setp.eq." type, u32, T, T, a == b), OP2("setp.ne." type, u32, T, T, a<b || a> b), \
      OP2("setp.lt." type, u32, T, T, a < b), OP2("setp.le." type, u32, T, T, a <= b),   \
      OP2("setp.gt." type, u32, T, T, a > b), OP2("setp.ge." type, u32, T, T, a >= b)
#define EXTREMES(type, T) OP2("max." type, T, T, T, largest(a, b)), OP2("min." type, T, T, T, smallest(a, b))

}  // namespace adwp::executor
