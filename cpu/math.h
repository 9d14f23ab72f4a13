// Activations and their derivatives as inline templates, so that loops around them vectorise: the
// choice is made outside of the loop (dispatch).
#pragma once

#include <cmath>

#include "framework/backend/specs.h"

namespace adwp::cpu {

inline float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }
inline float hard_sigmoid(float x) {
  const float y = x * (1.0f / 6.0f) + 0.5f;
  return y < 0.0f ? 0.0f : (y > 1.0f ? 1.0f : y);
}

template <Activation act>
inline float activate(float x) {
  if constexpr (act == Activation::relu) return x > 0.0f ? x : 0.0f;
  if constexpr (act == Activation::silu) return x * sigmoid(x);
  if constexpr (act == Activation::hard_swish) return x * hard_sigmoid(x);
  if constexpr (act == Activation::sigmoid) return sigmoid(x);
  if constexpr (act == Activation::hard_sigmoid) return hard_sigmoid(x);
  return x;
}

template <Activation act>
inline float derivative(float x) {
  if constexpr (act == Activation::relu) return x > 0.0f ? 1.0f : 0.0f;
  if constexpr (act == Activation::silu) {
    const float s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
  }
  if constexpr (act == Activation::hard_swish) {
    // 0 below -3, 1 above 3; at the kinks, the left side's
    return x <= -3.0f ? 0.0f : (x > 3.0f ? 1.0f : x * (1.0f / 3.0f) + 0.5f);
  }
  if constexpr (act == Activation::sigmoid) {
    const float s = sigmoid(x);
    return s * (1.0f - s);
  }
  if constexpr (act == Activation::hard_sigmoid) {
    return x > -3.0f && x <= 3.0f ? 1.0f / 6.0f : 0.0f;
  }
  return 1.0f;
}

// Calls body.template operator()<act>() with the activation as a constant.
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

// Writes or sums, decided outside of the loop as well.
template <bool accumulate>
inline void put(float& target, float value) {
  target = accumulate ? target + value : value;
}
template <typename Body>
void dispatch(GradMode mode, Body&& body) {
  if (mode == GradMode::accumulate) return body.template operator()<true>();
  return body.template operator()<false>();
}

}  // namespace adwp::cpu
