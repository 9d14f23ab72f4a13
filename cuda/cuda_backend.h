// The devices whose kernels are written here: `cuda`, on a GPU, and `emulated`, the same kernels on the
// CPU.
#pragma once

#include <memory>

#include "framework/backend/backend.h"

namespace adwp {

// How matrix products are multiplied (cuda/kernels/product.h): exact f32, or on the matrix units with
// operands rounded to TF32 or bf16 and f32 sums.
enum class Precision { f32, tf32, bf16 };

// Which step of the ladder of products and depthwise convolutions runs: what each is measured against is
// kept beside it (docs/kernels.md).
enum class KernelLevel { naive, tiled, fast };

// Who computes convolutions and GEMMs: the kernels here; cuDNN and cuBLAS (cuda/vendor/, on the device cuda
// alone), loaded when the device is opened; or, shape by shape, the faster of the two, timed at the first
// call. The choice may fall out differently from run to run, and the last bits of results with it.
enum class Engine { hand, vendor, automatic };

struct GpuOptions {
  Precision precision = Precision::f32;
  KernelLevel level = KernelLevel::fast;
  Engine engine = Engine::hand;
};

namespace cuda {
// Throws Error when there is no GPU, or none that this binary was built for, or a library of the engine is
// missing; a usage Error when the binary was built without that engine.
std::unique_ptr<Backend> open(const GpuOptions& options = {});
bool usable();
}  // namespace cuda

namespace emulated {
// Throws a usage Error for any engine but hand.
std::unique_ptr<Backend> open(const GpuOptions& options = {});
}  // namespace emulated

}  // namespace adwp
