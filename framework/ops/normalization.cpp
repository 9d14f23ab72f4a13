#include "framework/ops/records.h"

namespace adwp::ops {

Variable batch_norm(Tape& tape, const Variable& x, const Variable& scale, const Variable& shift,
                    Activation act, BatchStatistics* statistics) {
  const Shape channels{x.shape().back()};
  const BatchStatistics own{tape.tensor(channels), tape.tensor(channels)};
  const Tensor y = tape.tensor(x.shape());
  tape.backend().batch_norm_forward(x.value(), scale.value(), shift.value(), batch_norm_epsilon, act, y,
                                    own.mean, own.var);
  if (statistics != nullptr) *statistics = own;
  return record_batch_norm(tape, x, scale, shift, act, y, own);
}

Variable conv2d_batch_norm(Tape& tape, const Conv2d& conv, const Variable& x, const Variable& w,
                           const Variable& scale, const Variable& shift, Activation act,
                           BatchStatistics* statistics) {
  const Tensor y = tape.tensor(conv2d_output(conv, x.shape(), w.shape()));
  const Shape channels{y.shape().back()};
  const BatchStatistics own{tape.tensor(channels), tape.tensor(channels)};
  const Tensor z = tape.tensor(y.shape());
  tape.backend().conv2d_batch_norm_forward(conv, x.value(), w.value(), scale.value(), shift.value(),
                                           batch_norm_epsilon, act, y, z, own.mean, own.var);
  if (statistics != nullptr) *statistics = own;
  return record_batch_norm(tape, record_conv2d(tape, conv, x, w, y), scale, shift, act, z, own);
}

Variable record_batch_norm(Tape& tape, const Variable& x, const Variable& scale, const Variable& shift,
                           Activation act, const Tensor& y, const BatchStatistics& statistics) {
  Backend& backend = tape.backend();
  if (!tape.needs_grad({&x, &scale, &shift})) return Variable::constant(y);
  return tape.record(
      y, {&x, &scale, &shift},
      [&tape, &backend, act, mean = statistics.mean, var = statistics.var, xv = x.value(),
       scale_value = scale.value(), shift_value = shift.value(), dx = x.gradient(), dscale = scale.gradient(),
       dshift = shift.gradient()](const Tensor& dy) {
        // The backend writes all three gradients in one pass; those that nobody asked for go into
        // tensors of this call.
        struct Target {
          Tensor tensor;
          GradMode mode = GradMode::overwrite;
        };
        auto target = [&](const Gradient& gradient, const Shape& shape) {
          Target result;
          gradient.accumulate([&](const Tensor& tensor, GradMode mode) { result = {tensor, mode}; });
          if (!result.tensor.defined()) result.tensor = tape.tensor(shape);
          return result;
        };
        const Target x_target = target(dx, xv.shape());
        const Target scale_target = target(dscale, mean.shape());
        const Target shift_target = target(dshift, mean.shape());
        backend.batch_norm_backward(dy, xv, mean, var, scale_value, shift_value, batch_norm_epsilon, act,
                                    x_target.tensor, x_target.mode, scale_target.tensor, scale_target.mode,
                                    shift_target.tensor, shift_target.mode);
      });
}

Variable batch_norm_inference(Tape& tape, const Variable& x, const BatchStatistics& statistics,
                              const Variable& scale, const Variable& shift, Activation act) {
  const Tensor y = tape.tensor(x.shape());
  tape.backend().batch_norm_inference(x.value(), statistics.mean, statistics.var, scale.value(),
                                      shift.value(), batch_norm_epsilon, act, y);
  return Variable::constant(y);
}

Variable layer_norm(Tape& tape, const Variable& x, Activation act) {
  Backend& backend = tape.backend();
  const Shape rows{x.shape()[0]};
  const Tensor mean = tape.tensor(rows);
  const Tensor inverse = tape.tensor(rows);
  const Tensor y = tape.tensor(x.shape());
  backend.layer_norm_forward(x.value(), layer_norm_epsilon, act, y, mean, inverse);
  return tape.record(y, {&x},
                     [&backend, act, mean, inverse, xv = x.value(), dx = x.gradient()](const Tensor& dy) {
                       dx.accumulate([&](const Tensor& gradient, GradMode mode) {
                         backend.layer_norm_backward(dy, xv, mean, inverse, act, gradient, mode);
                       });
                     });
}

}  // namespace adwp::ops
