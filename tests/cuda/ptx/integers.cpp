#include "tests/cuda/ptx/lane_operations.h"

namespace adwp::executor {
namespace {

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

// PTX ISA, bfi d, a, b, position, length: the lower bits of a, put into b.
void insert_bits(Warp& warp, const Instruction& in, u32 lanes) {
  each(lanes, [&](int lane) {
    const u32 a = operand<u32>(warp, in, 1)[lane], b = operand<u32>(warp, in, 2)[lane];
    const u32 position = operand<u32>(warp, in, 3)[lane] & 255,
              length = operand<u32>(warp, in, 4)[lane] & 255;
    const u64 mask = position > 31 ? 0 : ((u64{1} << (length > 32 ? 32 : length)) - 1) << position;
    const u64 shifted = position > 31 ? 0 : u64{a} << position;
    operand<u32>(warp, in, 0)[lane] = static_cast<u32>((b & ~mask) | (shifted & mask));
  });
}

// PTX ISA, prmt.b32 d, a, b, c: byte i of d is the byte of a (0 to 3) or b (4 to 7) that digit i of c names;
// with 8 added, eight copies of its sign.
u32 permuted(u32 a, u32 b, u32 c) {
  const u64 bytes = u64{b} << 32 | a;
  u32 result = 0;
  for (int i = 0; i < 4; ++i) {
    const u32 digit = c >> (4 * i) & 15;
    u32 byte = static_cast<u32>(bytes >> (8 * (digit & 7))) & 255;
    if ((digit & 8) != 0) byte = (byte & 128) != 0 ? 255 : 0;
    result |= byte << (8 * i);
  }
  return result;
}

}  // namespace

#define DIVIDE(type, T) OP2("div." type, T, T, T, quotient(a, b)), OP2("rem." type, T, T, T, remainder(a, b))
#define BITS(type, T) \
  OP2("and." type, T, T, T, a& b), OP2("or." type, T, T, T, a | b), OP2("xor." type, T, T, T, a ^ b)

const Table& integers() {
  static const Table table{
      {"bfi.b32", {insert_bits, "44444"}},
      OP2("add.s32", u32, u32, u32, a + b),
      OP2("add.u32", u32, u32, u32, a + b),
      OP2("sub.s32", u32, u32, u32, a - b),
      OP2("sub.u32", u32, u32, u32, a - b),
      OP2("add.s64", u64, u64, u64, a + b),
      OP2("add.u64", u64, u64, u64, a + b),
      OP2("sub.s64", u64, u64, u64, a - b),
      OP2("sub.u64", u64, u64, u64, a - b),
      OP2("mul.lo.s32", u32, u32, u32, a * b),
      OP2("mul.lo.u32", u32, u32, u32, a * b),
      OP2("mul.lo.s64", u64, u64, u64, a * b),
      OP2("mul.lo.u64", u64, u64, u64, a * b),
      OP2("mul.wide.u32", u64, u32, u32, static_cast<u64>(a) * b),
      OP2("mul.wide.s32", u64, i32, i32, static_cast<u64>(static_cast<i64>(a) * b)),
      OP2("mul.hi.s32", u32, i32, i32, static_cast<u32>(static_cast<i64>(a) * b >> 32)),
      OP2("mul.hi.u32", u32, u32, u32, static_cast<u32>(static_cast<u64>(a) * b >> 32)),
      OP2("mul.hi.u64", u64, u64, u64, static_cast<u64>(static_cast<unsigned __int128>(a) * b >> 64)),
      OP2("mul.hi.s64", u64, i64, i64, static_cast<u64>(static_cast<__int128>(a) * b >> 64)),
      OP3("mad.lo.s32", u32, u32, u32, u32, a * b + c),
      OP3("mad.lo.u32", u32, u32, u32, u32, a * b + c),
      OP3("mad.lo.s64", u64, u64, u64, u64, a * b + c),
      OP3("mad.lo.u64", u64, u64, u64, u64, a * b + c),
      OP3("mad.wide.u32", u64, u32, u32, u64, static_cast<u64>(a) * b + c),
      OP3("mad.wide.s32", u64, i32, i32, u64, static_cast<u64>(static_cast<i64>(a) * b) + c),
      DIVIDE("s32", i32),
      DIVIDE("u32", u32),
      DIVIDE("s64", i64),
      DIVIDE("u64", u64),
      EXTREMES("s32", i32),
      EXTREMES("u32", u32),
      EXTREMES("s64", i64),
      EXTREMES("u64", u64),
      OP1("neg.s32", u32, u32, 0u - a),
      OP1("neg.s64", u64, u64, u64{0} - a),
      BITS("b32", u32),
      BITS("b64", u64),
      BITS("pred", u32),
      BITS("b16", u32),
      OP1("not.pred", u32, u32, a ^ 1u),
      OP1("not.b32", u32, u32, ~a),
      OP1("not.b64", u64, u64, ~a),
      OP2("shl.b32", u32, u32, u32, b > 31 ? 0u : a << b),
      OP2("shl.b64", u64, u64, u32, b > 63 ? 0u : a << b),
      OP2("shr.u32", u32, u32, u32, b > 31 ? 0u : a >> b),
      OP2("shr.u64", u64, u64, u32, b > 63 ? 0u : a >> b),
      OP2("shr.s32", i32, i32, u32, a >> (b > 31 ? 31 : b)),
      OP2("shr.s64", i64, i64, u32, a >> (b > 63 ? 63 : b)),
      COMPARE("s32", i32),
      COMPARE("u32", u32),
      COMPARE("s64", i64),
      COMPARE("u64", u64),
      COMPARE("b32", u32),
      COMPARE("b64", u64),
      OP2("setp.eq.s16", u32, u32, u32, static_cast<u16>(a) == static_cast<u16>(b)),
      OP2("setp.ne.s16", u32, u32, u32, static_cast<u16>(a) != static_cast<u16>(b)),
      OP2("setp.gt.s16", u32, u32, u32, static_cast<int16_t>(a) > static_cast<int16_t>(b)),
      OP2("setp.lt.u16", u32, u32, u32, static_cast<u16>(a) < static_cast<u16>(b)),
      OP2("add.s16", u32, u32, u32, (a + b) & 0xFFFFu),
      OP3("prmt.b32", u32, u32, u32, u32, permuted(a, b, c)),
      // Two products of 16 by 8 bits: the lower two bytes of b.
      OP3("dp2a.lo.u32.u32", u32, u32, u32, u32,
          c + (a & 0xFFFFu) * (b & 255u) + (a >> 16) * (b >> 8 & 255u)),
      OP2("setp.lo.u32", u32, u32, u32, a < b),
      OP2("setp.lo.u64", u32, u64, u64, a < b)};
  return table;
}

}  // namespace adwp::executor
