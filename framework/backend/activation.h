// Activations and their derivatives, one source for the loops of the host and for kernels. The choice is made
// outside of a loop (dispatch), so that what is left in it vectorises; comparisons rather than fmin and fmax,
// which gcc leaves scalar for the sake of NaN. constexpr, because nvcc takes such functions of the host into
// kernels (--expt-relaxed-constexpr): nothing here is CUDA's.
#pragma once

#include <cmath>

#include "framework/backend/specs.h"

namespace adwp {

template <typename Float>  // a template, for std::exp is not constexpr
constexpr Float sigmoid(Float x) {
  return Float(1) / (Float(1) + std::exp(-x));
}
constexpr float hard_sigmoid(float x) {
  const float y = x * (1.0f / 6.0f) + 0.5f;
  return y < 0.0f ? 0.0f : (y > 1.0f ? 1.0f : y);
}

template <Activation act>
constexpr float activate(float x) {
  if constexpr (act == Activation::relu) return x > 0.0f ? x : 0.0f;
  if constexpr (act == Activation::silu) return x * sigmoid(x);
  if constexpr (act == Activation::hard_swish) return x * hard_sigmoid(x);
  if constexpr (act == Activation::sigmoid) return sigmoid(x);
  if constexpr (act == Activation::hard_sigmoid) return hard_sigmoid(x);
  return x;
}

// At a kink, the left side's.
template <Activation act>
constexpr float derivative(float x) {
  if constexpr (act == Activation::relu) return x > 0.0f ? 1.0f : 0.0f;
  if constexpr (act == Activation::silu) {
    const float s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
  }
  if constexpr (act == Activation::hard_swish) {
    return x <= -3.0f ? 0.0f : (x > 3.0f ? 1.0f : x * (1.0f / 3.0f) + 0.5f);
  }
  if constexpr (act == Activation::sigmoid) {
    const float s = sigmoid(x);
    return s * (1.0f - s);
  }
  if constexpr (act == Activation::hard_sigmoid) return x > -3.0f && x <= 3.0f ? 1.0f / 6.0f : 0.0f;
  return 1.0f;
}

// Calls body.template operator()<act>() with the activation as a constant; on the host.
template <typename Body>
void dispatch(Activation act, Body&& body) {
  switch (act) {
    case Activation::none:
      return body.template operator()<Activation::none>();
    case Activation::relu:
      return body.template operator()<Activation::relu>();
    case Activation::silu:
      return body.template operator()<Activation::silu>();
    case Activation::hard_swish:
      return body.template operator()<Activation::hard_swish>();
    case Activation::sigmoid:
      return body.template operator()<Activation::sigmoid>();
    case Activation::hard_sigmoid:
      return body.template operator()<Activation::hard_sigmoid>();
  }
}

}  // namespace adwp
