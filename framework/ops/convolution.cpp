#include "framework/ops/records.h"

namespace adwp::ops {

Variable conv2d(Tape& tape, const Conv2d& conv, const Variable& x, const Variable& w) {
  const Tensor y = tape.tensor(conv2d_output(conv, x.shape(), w.shape()));
  tape.backend().conv2d_forward(conv, x.value(), w.value(), y);
  return record_conv2d(tape, conv, x, w, y);
}

Variable record_conv2d(Tape& tape, const Conv2d& conv, const Variable& x, const Variable& w,
                       const Tensor& y) {
  Backend& backend = tape.backend();
  if (!tape.needs_grad({&x, &w})) return Variable::constant(y);
  return tape.record(y, {&x, &w},
                     [&backend, conv, dx = x.gradient(), dw = w.gradient(),
                      // x is read only by wgrad, w only by dgrad
                      xv = w.requires_grad() ? x.value() : Tensor(),
                      wv = x.requires_grad() ? w.value() : Tensor()](const Tensor& dy) {
                       dw.accumulate([&](const Tensor& gradient, GradMode mode) {
                         backend.conv2d_wgrad(conv, xv, dy, gradient, mode);
                       });
                       dx.accumulate([&](const Tensor& gradient, GradMode mode) {
                         backend.conv2d_dgrad(conv, dy, wv, gradient, mode);
                       });
                     });
}

}  // namespace adwp::ops
