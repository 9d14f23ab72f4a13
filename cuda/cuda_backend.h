// The devices whose kernels are written here: `cuda`, on a GPU, and `emulated`, the same kernels on the
// CPU.
#pragma once

#include <memory>

#include "framework/backend/backend.h"

namespace adwp {

// How matrix products are multiplied (cuda/kernels/product.h): exact f32, or on the matrix units with
// operands rounded to TF32 or bf16 and f32 sums.
enum class Precision { f32, tf32, bf16 };

namespace cuda {
// Throws Error when there is no GPU, or none that this binary was built for.
std::unique_ptr<Backend> open(Precision precision = Precision::f32);
bool usable();
}  // namespace cuda

namespace emulated {
std::unique_ptr<Backend> open(Precision precision = Precision::f32);
}  // namespace emulated

}  // namespace adwp
