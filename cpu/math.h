// What the loops of this device share: activations (framework/backend/activation.h) and ways to write.
#pragma once

#include "framework/backend/activation.h"

namespace adwp::cpu {

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
