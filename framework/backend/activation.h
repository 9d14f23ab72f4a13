// Activations and their derivatives, one source for the loops of the host and for kernels. The choice is made
// outside of a loop (dispatch), so that the loop vectorises; comparisons rather than fmin and fmax,
// which gcc leaves scalar for the sake of NaN. constexpr, because nvcc takes such functions of the host into
// kernels (--expt-relaxed-constexpr): nothing here is CUDA's.
//
//   relu max(x, 0); silu x / (1 + e^-x); hard_sigmoid clamp(x / 6 + 1/2, 0, 1); hard_swish x times that.
#pragma once

#include <cmath>
#include <iterator>
#include <utility>

namespace adwp {

enum class Activation { none, relu, silu, hard_swish, sigmoid, hard_sigmoid };
inline constexpr Activation all_activations[] = {Activation::none,    Activation::relu,
                                                 Activation::silu,    Activation::hard_swish,
                                                 Activation::sigmoid, Activation::hard_sigmoid};
constexpr const char* name_of(Activation activation) {
  constexpr const char* names[] = {"none", "relu", "silu", "hard_swish", "sigmoid", "hard_sigmoid"};
  return names[int(activation)];
}

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
  [&]<int... i>(std::integer_sequence<int, i...>) {
    ((act == all_activations[i] ? body.template operator()<all_activations[i]>() : void()), ...);
  }
  (std::make_integer_sequence<int, int(std::size(all_activations))>());
}

}  // namespace adwp
