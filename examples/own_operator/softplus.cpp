#include "softplus.h"

#include <cmath>

adwp::Variable softplus(adwp::Tape& tape, const adwp::Variable& x) {
  const adwp::Tensor y = tape.tensor(x.shape());
  if (!tape.arena().counting()) {  // a dry pass measures memory and computes nothing
    const float* in = x.value().data<float>();
    float* out = y.data<float>();
    // Neither e^x nor e^-x overflows in this form.
    for (std::int64_t i = 0; i < y.elements(); ++i) {
      out[i] = std::max(in[i], 0.0f) + std::log1p(std::exp(-std::abs(in[i])));
    }
  }
  return tape.record(y, {&x}, [xv = x.value(), dx = x.gradient()](const adwp::Tensor& dy) {
    const adwp::Target target = dx.target();  // says whether to overwrite or to add
    if (dy.arena().counting()) return;
    const float *in = xv.data<float>(), *gradient = dy.data<float>();
    float* out = target.tensor.data<float>();
    for (std::int64_t i = 0; i < dy.elements(); ++i) {
      const float value = gradient[i] / (1 + std::exp(-in[i]));
      out[i] = target.adds() ? out[i] + value : value;
    }
  });
}
