#include "tests/cuda/ptx/lane_operations.h"
#include "tests/cuda/ptx/rounding.h"

namespace adwp::executor {

// True where one is a NaN, but for num, which asks.
#define UNORDERED(type, T)                                                                          \
  OP2("setp.equ." type, u32, T, T, !(a < b || a > b)), OP2("setp.neu." type, u32, T, T, !(a == b)), \
      OP2("setp.ltu." type, u32, T, T, !(a >= b)), OP2("setp.leu." type, u32, T, T, !(a > b)),      \
      OP2("setp.gtu." type, u32, T, T, !(a <= b)), OP2("setp.geu." type, u32, T, T, !(a < b)),      \
      OP2("setp.num." type, u32, T, T, a == a && b == b), OP2("setp.nan." type, u32, T, T, a != a || b != b)

const Table& floating_point() {
  static const Table table{OP3("fma.rn.f32", f32, f32, f32, f32, std::fma(a, b, c)),
                           OP3("fma.rm.f32", f32, f32, f32, f32, fma_down(a, b, c)),
                           OP2("add.f32", f32, f32, f32, a + b),
                           OP2("sub.f32", f32, f32, f32, a - b),
                           OP2("mul.f32", f32, f32, f32, a * b),
                           OP2("div.rn.f32", f32, f32, f32, a / b),
                           OP1("rcp.rn.f32", f32, f32, 1.0f / a),
                           OP2("add.rn.f32", f32, f32, f32, a + b),
                           OP2("sub.rn.f32", f32, f32, f32, a - b),
                           OP2("mul.rn.f32", f32, f32, f32, a * b),
                           OP1("sqrt.rn.f32", f32, f32, std::sqrt(a)),
                           OP1("neg.f32", f32, f32, -a),
                           OP1("abs.f32", f32, f32, std::fabs(a)),
                           OP1("ex2.approx.ftz.f32", f32, f32, flushed(std::exp2(flushed(a)))),
                           OP1("ex2.approx.f32", f32, f32, std::exp2(a)),
                           OP1("lg2.approx.f32", f32, f32, std::log2(a)),
                           OP1("lg2.approx.ftz.f32", f32, f32, std::log2(flushed(a))),
                           OP1("rcp.approx.ftz.f32", f32, f32, flushed(1.0f / flushed(a))),
                           OP1("rsqrt.approx.f32", f32, f32, 1.0f / std::sqrt(a)),
                           OP3("fma.rn.f64", f64, f64, f64, f64, std::fma(a, b, c)),
                           OP2("add.f64", f64, f64, f64, a + b),
                           OP2("sub.f64", f64, f64, f64, a - b),
                           OP2("mul.f64", f64, f64, f64, a * b),
                           OP2("div.rn.f64", f64, f64, f64, a / b),
                           OP1("rcp.rn.f64", f64, f64, 1.0 / a),
                           OP2("add.rn.f64", f64, f64, f64, a + b),
                           OP2("mul.rn.f64", f64, f64, f64, a * b),
                           OP1("sqrt.rn.f64", f64, f64, std::sqrt(a)),
                           OP1("neg.f64", f64, f64, -a),
                           OP1("abs.f64", f64, f64, std::fabs(a)),
                           EXTREMES("f32", f32),
                           EXTREMES("f64", f64),
                           COMPARE("f32", f32),
                           COMPARE("f64", f64),
                           UNORDERED("f32", f32),
                           UNORDERED("f64", f64)};
  return table;
}

}  // namespace adwp::executor
