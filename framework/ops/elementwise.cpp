#include "framework/ops/network.h"

namespace adwp::ops {

Variable activation(Tape& tape, Activation act, const Variable& x) {
  Backend& backend = tape.backend();
  const Tensor y = tape.tensor(x.shape());
  backend.activation_forward(act, x.value(), y);
  return tape.record(y, {&x}, [&backend, act, xv = x.value(), dx = x.gradient()](const Tensor& dy) {
    dx.accumulate([&](const Tensor& gradient, GradMode mode) {
      backend.activation_backward(act, xv, dy, gradient, mode);
    });
  });
}

Variable add(Tape& tape, const Variable& a, const Variable& b) {
  Backend& backend = tape.backend();
  const Tensor y = tape.tensor(a.shape());
  backend.add(a.value(), b.value(), y);
  return tape.record(y, {&a, &b}, [&backend, da = a.gradient(), db = b.gradient()](const Tensor& dy) {
    for (const Gradient& input : {da, db}) {
      input.accumulate(
          [&](const Tensor& gradient, GradMode mode) { backend.copy_gradient(dy, gradient, mode); });
    }
  });
}

Variable concat(Tape& tape, const Variable& a, const Variable& b) {
  Backend& backend = tape.backend();
  const Shape& s = a.shape();
  const std::int64_t split = s.back();
  const Tensor y = tape.tensor(Shape{s[0], s[1], s[2], split + b.shape().back()});
  backend.concat_forward(a.value(), b.value(), y);
  return tape.record(y, {&a, &b}, [&backend, split, da = a.gradient(), db = b.gradient()](const Tensor& dy) {
    da.accumulate(
        [&](const Tensor& gradient, GradMode mode) { backend.concat_backward(dy, 0, gradient, mode); });
    db.accumulate(
        [&](const Tensor& gradient, GradMode mode) { backend.concat_backward(dy, split, gradient, mode); });
  });
}

Variable channel_scale(Tape& tape, const Variable& x, const Variable& s) {
  Backend& backend = tape.backend();
  const Tensor y = tape.tensor(x.shape());
  backend.channel_scale_forward(x.value(), s.value(), y);
  return tape.record(y, {&x, &s},
                     [&tape, &backend, xv = x.value(), sv = s.value(), dx = x.gradient(),
                      ds = s.gradient()](const Tensor& dy) {
                       // One pass writes both; a gradient nobody asked for goes into a scratch.
                       Tensor x_target, s_target;
                       GradMode x_mode = GradMode::overwrite, s_mode = GradMode::overwrite;
                       dx.accumulate([&](const Tensor& t, GradMode m) { x_target = t, x_mode = m; });
                       ds.accumulate([&](const Tensor& t, GradMode m) { s_target = t, s_mode = m; });
                       if (!x_target.defined()) x_target = tape.tensor(xv.shape());
                       if (!s_target.defined()) s_target = tape.tensor(sv.shape());
                       backend.channel_scale_backward(dy, xv, sv, x_target, x_mode, s_target, s_mode);
                     });
}

}  // namespace adwp::ops
