// Moves, conversions, and where all operations of lanes are found.
#include "tests/cuda/ptx/lane_operations.h"
#include "tests/cuda/ptx/rounding.h"

namespace adwp::executor {
namespace {

const Table& moves_and_conversions() {
  static const Table table{OP1("mov.f32", u32, u32, a),
                           OP1("mov.b32", u32, u32, a),
                           OP1("mov.u32", u32, u32, a),
                           OP1("mov.s32", u32, u32, a),
                           OP1("mov.u64", u64, u64, a),
                           OP1("mov.b64", u64, u64, a),
                           OP1("mov.f64", u64, u64, a),
                           OP1("mov.pred", u32, u32, a),
                           OP1("mov.u16", u32, u32, a),
                           OP1("mov.b16", u32, u32, a),
                           OP1("cvta.to.global.u64", u64, u64, a),
                           OP3("selp.f32", u32, u32, u32, u32, c ? a : b),
                           OP3("selp.b32", u32, u32, u32, u32, c ? a : b),
                           OP3("selp.u32", u32, u32, u32, u32, c ? a : b),
                           OP3("selp.s32", u32, u32, u32, u32, c ? a : b),
                           OP3("selp.b64", u64, u64, u64, u32, c ? a : b),
                           OP3("selp.u64", u64, u64, u64, u32, c ? a : b),
                           OP3("selp.s64", u64, u64, u64, u32, c ? a : b),
                           OP3("selp.f64", u64, u64, u64, u32, c ? a : b),
                           OP3("selp.b16", u32, u32, u32, u32, c ? a : b),
                           OP1("cvt.sat.f32.f32", f32, f32, a > 0 ? (a < 1 ? a : 1.0f) : 0.0f),
                           OP1("cvt.rni.f32.f32", f32, f32, std::nearbyint(a)),  // ties to even
                           OP1("cvt.rzi.f32.f32", f32, f32, std::trunc(a)),
                           OP1("cvt.rmi.f32.f32", f32, f32, std::floor(a)),
                           OP1("cvt.rpi.f32.f32", f32, f32, std::ceil(a)),
                           OP1("cvt.rzi.s32.f32", i32, f32, to_integer<i32>(a)),
                           OP1("cvt.rzi.s64.f32", i64, f32, to_integer<i64>(a)),
                           OP1("cvt.s64.s32", i64, i32, a),
                           OP1("cvt.s64.s32 of 8 bytes", i64, i64, static_cast<i32>(a)),
                           OP1("cvt.u64.u32", u64, u32, a),
                           OP1("cvt.u32.u64", u32, u64, static_cast<u32>(a)),
                           OP1("cvt.s32.s64", u32, u64, static_cast<u32>(a)),
                           OP1("cvt.u16.u32", u32, u32, a & 0xFFFFu),
                           OP1("cvt.u32.u16", u32, u32, a & 0xFFFFu),
                           OP1("cvt.u16.u64", u32, u64, static_cast<u32>(a) & 0xFFFFu),
                           OP1("cvt.u64.u16", u64, u32, a & 0xFFFFu),
                           OP1("cvt.rna.tf32.f32", u32, f32, to_tf32(a)),
                           OP2("cvt.rn.bf16x2.f32", u32, f32, f32, to_bf16(a) << 16 | to_bf16(b)),
                           OP1("cvt.rn.bf16.f32", u32, f32, to_bf16(a)),
                           OP1("cvt.f32.bf16", u32, u32, a << 16),
                           OP1("cvt.f64.f32", f64, f32, a),
                           OP1("cvt.rn.f32.f64", f32, f64, static_cast<f32>(a)),
                           OP1("cvt.rn.f32.s64", f32, i64, static_cast<f32>(a)),
                           OP1("cvt.rn.f32.u64", f32, u64, static_cast<f32>(a)),
                           OP1("cvt.rn.f32.s32", f32, i32, static_cast<f32>(a)),
                           OP1("cvt.rn.f32.u32", f32, u32, static_cast<f32>(a)),
                           OP1("cvt.rn.f32.u16", f32, u32, static_cast<f32>(a & 0xFFFFu)),
                           OP1("cvt.rn.f64.s64", f64, i64, static_cast<f64>(a)),
                           OP1("cvt.rn.f64.s32", f64, i32, static_cast<f64>(a)),
                           OP1("cvt.rn.f64.u32", f64, u32, static_cast<f64>(a)),
                           OP1("cvt.rn.f64.u64", f64, u64, static_cast<f64>(a))};
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
