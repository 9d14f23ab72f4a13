#include "framework/ops/network.h"

namespace adwp::ops {

Variable max_pool(Tape& tape, const Pool2d& pool, const Variable& x) {
  Backend& backend = tape.backend();
  const Tensor y = tape.tensor(pool2d_output(pool, x.shape()));
  const Tensor argmax = tape.tensor(y.shape(), DType::i32);
  backend.max_pool_forward(pool, x.value(), y, argmax);
  return tape.record(y, {&x}, [&backend, pool, argmax, dx = x.gradient()](const Tensor& dy) {
    dx.accumulate([&](const Tensor& gradient, GradMode mode) {
      backend.max_pool_backward(pool, dy, argmax, gradient, mode);
    });
  });
}

Variable average_pool(Tape& tape, const Pool2d& pool, const Variable& x) {
  Backend& backend = tape.backend();
  const Tensor y = tape.tensor(pool2d_output(pool, x.shape()));
  backend.average_pool_forward(pool, x.value(), y);
  return tape.record(y, {&x}, [&backend, pool, dx = x.gradient()](const Tensor& dy) {
    dx.accumulate([&](const Tensor& gradient, GradMode mode) {
      backend.average_pool_backward(pool, dy, gradient, mode);
    });
  });
}

Variable global_pool(Tape& tape, const Variable& x) {
  Backend& backend = tape.backend();
  const Tensor y = tape.tensor(Shape{x.shape()[0], 1, 1, x.shape().back()});
  backend.global_pool_forward(x.value(), y);
  return tape.record(y, {&x}, [&backend, dx = x.gradient()](const Tensor& dy) {
    dx.accumulate(
        [&](const Tensor& gradient, GradMode mode) { backend.global_pool_backward(dy, gradient, mode); });
  });
}

}  // namespace adwp::ops
