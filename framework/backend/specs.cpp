#include "framework/backend/specs.h"

#include "framework/core/error.h"

namespace adwp {

Shape conv2d_output(const Conv2d& conv, const Shape& x, const Shape& w) {
  require(x.rank() == 4, "conv2d", "wrong rank, got x {}, expected (N, H, W, C)", x.text());
  require(conv.kernel >= 1 && conv.stride >= 1 && conv.padding >= 0 && conv.padding < conv.kernel, "conv2d",
          "bad window, got kernel {}, stride {}, padding {}, expected padding < kernel", conv.kernel,
          conv.stride, conv.padding);
  require(x[1] + 2 * conv.padding >= conv.kernel && x[2] + 2 * conv.padding >= conv.kernel, "conv2d",
          "image smaller than the window, got x {}, kernel {}, padding {}", x.text(), conv.kernel,
          conv.padding);
  const Shape expected{conv.depthwise ? x[3] : w[0], conv.kernel, conv.kernel, conv.depthwise ? 1 : x[3]};
  require(w == expected, "conv2d", "kernel does not fit, got w {}, expected {} for x {}", w.text(),
          expected.text(), x.text());
  return Shape{x[0], conv.out_size(x[1]), conv.out_size(x[2]), w[0]};
}

double conv2d_flops(const Conv2d& conv, const Shape& y, const Shape& w) {
  return 2.0 * y.elements() * conv.kernel * conv.kernel * w[3];
}

std::string conv2d_text(const Conv2d& conv, const Shape& x, const Shape& w) {
  return fmt::format("{}{}x{} s{} {} -> {}", conv.depthwise ? "depthwise " : "", conv.kernel, conv.kernel,
                     conv.stride, x.text(), w[0]);
}

}  // namespace adwp
