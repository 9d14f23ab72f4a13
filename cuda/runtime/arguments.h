// From tensors to what launchers take.
#pragma once

#include "framework/backend/specs.h"
#include "framework/core/tensor.h"

namespace adwp::ADWP_GPU {

inline const float* in(const Tensor& tensor) { return tensor.data<float>(); }
inline float* out(const Tensor& tensor) { return tensor.data<float>(); }
inline const std::int32_t* integers(const Tensor& tensor) { return tensor.data<std::int32_t>(); }
inline float* scratch(void* workspace) { return static_cast<float*>(workspace); }
inline bool adds(GradMode mode) { return mode == GradMode::accumulate; }
inline std::size_t bytes_of(std::int64_t floats) { return static_cast<std::size_t>(floats) * sizeof(float); }

}  // namespace adwp::ADWP_GPU
