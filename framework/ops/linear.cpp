#include "framework/ops/network.h"

namespace adwp::ops {

Variable linear(Tape& tape, const Variable& x, const Variable& w, const Variable& bias, Activation act) {
  Backend& backend = tape.backend();
  const Tensor y = tape.tensor(Shape{x.shape()[0], w.shape()[0]});
  // With gradients the activation is an operator of its own, for its backward needs its input.
  const bool fused = !tape.needs_grad({&x, &w, &bias}) || act == Activation::none;
  backend.gemm({.transpose_b = true}, x.value(), w.value(), bias.value(), fused ? act : Activation::none, y,
               GradMode::overwrite);
  Variable result =
      tape.record(y, {&x, &w, &bias},
                  [&backend, dx = x.gradient(), dw = w.gradient(), dbias = bias.gradient(),
                   xv = w.requires_grad() ? x.value() : Tensor(),
                   wv = x.requires_grad() ? w.value() : Tensor()](const Tensor& dy) {
                    dw.accumulate([&](const Tensor& gradient, GradMode mode) {
                      backend.gemm({.transpose_a = true}, dy, xv, {}, Activation::none, gradient, mode);
                    });
                    dbias.accumulate([&](const Tensor& gradient, GradMode mode) {
                      backend.column_sum(dy, gradient, mode);
                    });
                    dx.accumulate([&](const Tensor& gradient, GradMode mode) {
                      backend.gemm({}, dy, wv, {}, Activation::none, gradient, mode);
                    });
                  });
  return fused ? result : activation(tape, act, result);
}

}  // namespace adwp::ops
