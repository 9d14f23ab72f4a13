#include "framework/ops/network.h"

namespace adwp::ops {

Variable cross_entropy(Tape& tape, const Variable& logits, const Tensor& labels, float smoothing) {
  Backend& backend = tape.backend();
  const Tensor loss = tape.tensor(Shape{1});
  backend.cross_entropy_forward(logits.value(), labels, smoothing, loss);
  return tape.record(
      loss, {&logits},
      [&backend, smoothing, labels, lv = logits.value(), dlogits = logits.gradient()](const Tensor& dloss) {
        dlogits.accumulate([&](const Tensor& gradient, GradMode mode) {
          backend.cross_entropy_backward(dloss, lv, labels, smoothing, gradient, mode);
        });
      });
}

}  // namespace adwp::ops
