// Instructions that compute results of a lane from registers of the same lane.
#include <cmath>
#include <type_traits>
#include <unordered_map>

#include "tests/cuda/ptx/operations.h"
#include "tests/cuda/ptx/rounding.h"

namespace adwp::executor {
namespace {

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

// Division by zero is no fault on a GPU; its result is not specified.
template <typename T>
T quotient(T a, T b) {
  if (b == 0) return static_cast<T>(-1);
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return static_cast<T>(-static_cast<std::make_unsigned_t<T>>(a));
  }
  return a / b;
}
template <typename T>
T remainder(T a, T b) {
  if (b == 0) return a;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
  }
  return a % b;
}

#define WIDTH(T) (sizeof(T) == 8 ? '8' : '4')
#define OP1(name, D, A, body) \
  { name, { unary<D, A, [](A a) -> D { return (body); }>, std::string{WIDTH(D), WIDTH(A)} } }
#define OP2(name, D, A, B, body)                                      \
  {                                                                   \
    name, {                                                           \
      binary<D, A, B, [](A a, B b) -> D { return (body); }>,          \
          std::string{WIDTH(D), WIDTH(A), WIDTH(B)}                   \
    }                                                                 \
  }
#define OP3(name, D, A, B, C, body)                                   \
  {                                                                   \
    name, {                                                           \
      ternary<D, A, B, C, [](A a, B b, C c) -> D { return (body); }>, \
          std::string{WIDTH(D), WIDTH(A), WIDTH(B), WIDTH(C)}         \
    }                                                                 \
  }
// Comparisons of floating-point numbers are false with a NaN; those of UNORDERED are true.
#define COMPARE(type, T)                                                                            \
  OP2("setp.eq." type, u32, T, T, a == b), OP2("setp.ne." type, u32, T, T, a < b || a > b),         \
      OP2("setp.lt." type, u32, T, T, a < b), OP2("setp.le." type, u32, T, T, a <= b),              \
      OP2("setp.gt." type, u32, T, T, a > b), OP2("setp.ge." type, u32, T, T, a >= b)
#define UNORDERED(type, T)                                                                          \
  OP2("setp.equ." type, u32, T, T, !(a < b || a > b)), OP2("setp.neu." type, u32, T, T, !(a == b)), \
      OP2("setp.ltu." type, u32, T, T, !(a >= b)), OP2("setp.leu." type, u32, T, T, !(a > b)),      \
      OP2("setp.gtu." type, u32, T, T, !(a <= b)), OP2("setp.geu." type, u32, T, T, !(a < b)),      \
      OP2("setp.num." type, u32, T, T, a == a && b == b), OP2("setp.nan." type, u32, T, T, a != a || b != b)
#define DIVIDE(type, T) \
  OP2("div." type, T, T, T, quotient(a, b)), OP2("rem." type, T, T, T, remainder(a, b))
#define EXTREMES(type, T) \
  OP2("max." type, T, T, T, largest(a, b)), OP2("min." type, T, T, T, smallest(a, b))
#define BITS(type, T)                                                                  \
  OP2("and." type, T, T, T, a& b), OP2("or." type, T, T, T, a | b), OP2("xor." type, T, T, T, a ^ b)

using Table = std::unordered_map<std::string, Operation>;

const Table& floating_point() {
  static const Table table{
      OP3("fma.rn.f32", f32, f32, f32, f32, std::fma(a, b, c)), OP3("fma.rm.f32", f32, f32, f32, f32, fma_down(a, b, c)),
      OP2("add.f32", f32, f32, f32, a + b), OP2("sub.f32", f32, f32, f32, a - b), OP2("mul.f32", f32, f32, f32, a * b),
      OP2("div.rn.f32", f32, f32, f32, a / b), OP1("rcp.rn.f32", f32, f32, 1.0f / a),
      OP2("add.rn.f32", f32, f32, f32, a + b), OP2("sub.rn.f32", f32, f32, f32, a - b),
      OP2("mul.rn.f32", f32, f32, f32, a * b),
      OP1("sqrt.rn.f32", f32, f32, std::sqrt(a)), OP1("neg.f32", f32, f32, -a), OP1("abs.f32", f32, f32, std::fabs(a)),
      OP1("ex2.approx.ftz.f32", f32, f32, flushed(std::exp2(flushed(a)))), OP1("ex2.approx.f32", f32, f32, std::exp2(a)),
      OP1("lg2.approx.f32", f32, f32, std::log2(a)), OP1("lg2.approx.ftz.f32", f32, f32, std::log2(flushed(a))),
      OP1("rcp.approx.ftz.f32", f32, f32, flushed(1.0f / flushed(a))),
      OP1("rsqrt.approx.f32", f32, f32, 1.0f / std::sqrt(a)),
      OP3("fma.rn.f64", f64, f64, f64, f64, std::fma(a, b, c)), OP2("add.f64", f64, f64, f64, a + b),
      OP2("sub.f64", f64, f64, f64, a - b), OP2("mul.f64", f64, f64, f64, a * b),
      OP2("div.rn.f64", f64, f64, f64, a / b), OP1("rcp.rn.f64", f64, f64, 1.0 / a),
      OP2("add.rn.f64", f64, f64, f64, a + b), OP2("mul.rn.f64", f64, f64, f64, a * b),
      OP1("sqrt.rn.f64", f64, f64, std::sqrt(a)), OP1("neg.f64", f64, f64, -a), OP1("abs.f64", f64, f64, std::fabs(a)),
      EXTREMES("f32", f32), EXTREMES("f64", f64), COMPARE("f32", f32), COMPARE("f64", f64), UNORDERED("f32", f32),
      UNORDERED("f64", f64)};
  return table;
}

const Table& integers() {
  static const Table table{
      OP2("add.s32", u32, u32, u32, a + b), OP2("add.u32", u32, u32, u32, a + b), OP2("sub.s32", u32, u32, u32, a - b),
      OP2("sub.u32", u32, u32, u32, a - b), OP2("add.s64", u64, u64, u64, a + b), OP2("add.u64", u64, u64, u64, a + b),
      OP2("sub.s64", u64, u64, u64, a - b), OP2("sub.u64", u64, u64, u64, a - b),
      OP2("mul.lo.s32", u32, u32, u32, a* b), OP2("mul.lo.u32", u32, u32, u32, a* b),
      OP2("mul.lo.s64", u64, u64, u64, a* b), OP2("mul.lo.u64", u64, u64, u64, a* b),
      OP2("mul.wide.u32", u64, u32, u32, static_cast<u64>(a) * b),
      OP2("mul.wide.s32", u64, i32, i32, static_cast<u64>(static_cast<i64>(a) * b)),
      OP2("mul.hi.s32", u32, i32, i32, static_cast<u32>(static_cast<i64>(a) * b >> 32)),
      OP2("mul.hi.u32", u32, u32, u32, static_cast<u32>(static_cast<u64>(a) * b >> 32)),
      OP2("mul.hi.u64", u64, u64, u64, static_cast<u64>(static_cast<unsigned __int128>(a) * b >> 64)),
      OP2("mul.hi.s64", u64, i64, i64, static_cast<u64>(static_cast<__int128>(a) * b >> 64)),
      OP3("mad.lo.s32", u32, u32, u32, u32, a* b + c), OP3("mad.lo.u32", u32, u32, u32, u32, a* b + c),
      OP3("mad.lo.s64", u64, u64, u64, u64, a* b + c), OP3("mad.lo.u64", u64, u64, u64, u64, a* b + c),
      OP3("mad.wide.u32", u64, u32, u32, u64, static_cast<u64>(a) * b + c),
      OP3("mad.wide.s32", u64, i32, i32, u64, static_cast<u64>(static_cast<i64>(a) * b) + c),
      DIVIDE("s32", i32), DIVIDE("u32", u32), DIVIDE("s64", i64), DIVIDE("u64", u64),
      EXTREMES("s32", i32), EXTREMES("u32", u32), EXTREMES("s64", i64), EXTREMES("u64", u64),
      OP1("neg.s32", u32, u32, 0u - a), OP1("neg.s64", u64, u64, u64{0} - a),
      BITS("b32", u32), BITS("b64", u64), BITS("pred", u32), BITS("b16", u32),
      OP1("not.pred", u32, u32, a ^ 1u), OP1("not.b32", u32, u32, ~a), OP1("not.b64", u64, u64, ~a),
      OP2("shl.b32", u32, u32, u32, b > 31 ? 0u : a << b), OP2("shl.b64", u64, u64, u32, b > 63 ? 0u : a << b),
      OP2("shr.u32", u32, u32, u32, b > 31 ? 0u : a >> b), OP2("shr.u64", u64, u64, u32, b > 63 ? 0u : a >> b),
      OP2("shr.s32", i32, i32, u32, a >> (b > 31 ? 31 : b)), OP2("shr.s64", i64, i64, u32, a >> (b > 63 ? 63 : b)),
      COMPARE("s32", i32), COMPARE("u32", u32), COMPARE("s64", i64), COMPARE("u64", u64), COMPARE("b32", u32),
      COMPARE("b64", u64), OP2("setp.eq.s16", u32, u32, u32, static_cast<u16>(a) == static_cast<u16>(b)),
      OP2("setp.ne.s16", u32, u32, u32, static_cast<u16>(a) != static_cast<u16>(b)),
      OP2("setp.lo.u32", u32, u32, u32, a < b), OP2("setp.lo.u64", u32, u64, u64, a < b)};
  return table;
}

const Table& moves_and_conversions() {
  static const Table table{
      OP1("mov.f32", u32, u32, a), OP1("mov.b32", u32, u32, a), OP1("mov.u32", u32, u32, a), OP1("mov.s32", u32, u32, a),
      OP1("mov.u64", u64, u64, a), OP1("mov.b64", u64, u64, a), OP1("mov.f64", u64, u64, a), OP1("mov.pred", u32, u32, a),
      OP1("mov.u16", u32, u32, a), OP1("mov.b16", u32, u32, a), OP1("cvta.to.global.u64", u64, u64, a),
      OP3("selp.f32", u32, u32, u32, u32, c ? a : b), OP3("selp.b32", u32, u32, u32, u32, c ? a : b),
      OP3("selp.u32", u32, u32, u32, u32, c ? a : b), OP3("selp.s32", u32, u32, u32, u32, c ? a : b),
      OP3("selp.b64", u64, u64, u64, u32, c ? a : b), OP3("selp.f64", u64, u64, u64, u32, c ? a : b),
      OP3("selp.b16", u32, u32, u32, u32, c ? a : b),
      OP1("cvt.sat.f32.f32", f32, f32, a > 0 ? (a < 1 ? a : 1.0f) : 0.0f),
      OP1("cvt.s64.s32", i64, i32, a), OP1("cvt.s64.s32 of 8 bytes", i64, i64, static_cast<i32>(a)),
      OP1("cvt.u64.u32", u64, u32, a), OP1("cvt.u32.u64", u32, u64, static_cast<u32>(a)),
      OP1("cvt.s32.s64", u32, u64, static_cast<u32>(a)), OP1("cvt.u16.u32", u32, u32, a & 0xFFFFu),
      OP1("cvt.u32.u16", u32, u32, a & 0xFFFFu), OP1("cvt.rna.tf32.f32", u32, f32, to_tf32(a)),
      OP2("cvt.rn.bf16x2.f32", u32, f32, f32, to_bf16(a) << 16 | to_bf16(b)),
      OP1("cvt.rn.bf16.f32", u32, f32, to_bf16(a)), OP1("cvt.f32.bf16", u32, u32, a << 16),
      OP1("cvt.f64.f32", f64, f32, a), OP1("cvt.rn.f32.f64", f32, f64, static_cast<f32>(a)),
      OP1("cvt.rn.f32.s64", f32, i64, static_cast<f32>(a)), OP1("cvt.rn.f32.u64", f32, u64, static_cast<f32>(a)),
      OP1("cvt.rn.f32.s32", f32, i32, static_cast<f32>(a)), OP1("cvt.rn.f32.u32", f32, u32, static_cast<f32>(a)),
      OP1("cvt.rn.f32.u16", f32, u32, static_cast<f32>(a & 0xFFFFu)),
      OP1("cvt.rn.f64.s64", f64, i64, static_cast<f64>(a)), OP1("cvt.rn.f64.s32", f64, i32, static_cast<f64>(a)),
      OP1("cvt.rn.f64.u32", f64, u32, static_cast<f64>(a)), OP1("cvt.rn.f64.u64", f64, u64, static_cast<f64>(a))};
  return table;
}

template <typename T, typename Half>
void split(Warp& warp, const Instruction& in, u32 lanes) {
  each(lanes, [&](int lane) {
    const T whole = operand<T>(warp, in, 2)[lane];
    operand<u32>(warp, in, 0)[lane] = static_cast<Half>(whole);
    operand<u32>(warp, in, 1)[lane] = static_cast<Half>(whole >> (sizeof(Half) * 8));
  });
}
template <typename T, typename Half>
void join(Warp& warp, const Instruction& in, u32 lanes) {
  each(lanes, [&](int lane) {
    const T low = static_cast<Half>(operand<u32>(warp, in, 1)[lane]);
    const T high = static_cast<Half>(operand<u32>(warp, in, 2)[lane]);
    operand<T>(warp, in, 0)[lane] = static_cast<T>(low | high << (sizeof(Half) * 8));
  });
}

}  // namespace

const Operation* find_operation(const std::string& name) {
  for (const Table* table : {&floating_point(), &integers(), &moves_and_conversions()}) {
    const auto found = table->find(name);
    if (found != table->end()) return &found->second;
  }
  return nullptr;
}

Execute join_operation(bool wide) { return wide ? join<u64, u32> : join<u32, u16>; }
Execute split_operation(bool wide) { return wide ? split<u64, u32> : split<u32, u16>; }

}  // namespace adwp::executor
