// The devices this binary was built with.
#pragma once

#include <string>

#include "framework/backend/backend.h"
#include "framework/backend/registry.h"

namespace adwp::apps {

// In the order in which `--device auto` prefers them. `threads`: of the CPU device; 0: one a core.
// `precision` of matrix products: f32, tf32 or bf16; the CPU device has f32 alone. `engine` of convolutions
// and GEMMs (cuda/cuda_backend.h): hand, vendor or auto; the device cuda alone has others than hand. To open
// a device with what it has not is a usage Error.
Registry devices(int threads = 0, const std::string& precision = "f32", const std::string& engine = "hand");

// The device and its hardware, e.g. "cpu (Intel(R) Xeon(R) Processor, 2 threads)": what results call it.
std::string full_name(const Backend& backend);

}  // namespace adwp::apps
