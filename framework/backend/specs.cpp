#include "framework/backend/specs.h"

#include "framework/core/error.h"

namespace adwp {

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::none:
      return "none";
    case Activation::relu:
      return "relu";
    case Activation::silu:
      return "silu";
    case Activation::hard_swish:
      return "hard_swish";
    case Activation::sigmoid:
      return "sigmoid";
    case Activation::hard_sigmoid:
      return "hard_sigmoid";
  }
  return "?";
}

namespace {

Shape window_output(const char* where, const Shape& x, std::int64_t kernel, std::int64_t stride,
                    std::int64_t padding, std::int64_t channels) {
  require(x.rank() == 4, where, "wrong rank, got x {}, expected (N, H, W, C)", x.text());
  require(kernel >= 1 && stride >= 1 && padding >= 0 && padding < kernel, where,
          "bad window, got kernel {}, stride {}, padding {}, expected padding < kernel", kernel, stride,
          padding);
  require(x[1] + 2 * padding >= kernel && x[2] + 2 * padding >= kernel, where,
          "image smaller than the window, got x {}, kernel {}, padding {}", x.text(), kernel, padding);
  auto out = [&](std::int64_t in) { return (in + 2 * padding - kernel) / stride + 1; };
  return Shape{x[0], out(x[1]), out(x[2]), channels};
}

}  // namespace

Shape conv2d_output(const Conv2d& conv, const Shape& x, const Shape& w) {
  const Shape y =
      window_output("conv2d", x, conv.kernel, conv.stride, conv.padding, w.rank() == 4 ? w[0] : 0);
  const Shape expected{conv.depthwise ? x[3] : w[0], conv.kernel, conv.kernel, conv.depthwise ? 1 : x[3]};
  require(w == expected, "conv2d", "kernel does not fit, got w {}, expected {} for x {}", w.text(),
          expected.text(), x.text());
  return y;
}

Shape pool2d_output(const Pool2d& pool, const Shape& x) {
  return window_output("pool2d", x, pool.kernel, pool.stride, pool.padding, x.rank() == 4 ? x[3] : 0);
}

}  // namespace adwp
