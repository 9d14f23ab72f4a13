// The devices whose kernels are written here: `cuda`, on a GPU, and `emulated`, the same kernels on the
// CPU.
#pragma once

#include <memory>

#include "framework/backend/backend.h"

namespace adwp {

// How matrix products are multiplied; sums are always f32. f32 is exact f32 arithmetic. tf32 rounds operands
// to 10 bits of mantissa, bf16 to 7, and both run on the matrix units. With bf16 values between operators lie
// so in memory too, where no gradients are recorded (Backend::storage).
enum class Precision { f32, tf32, bf16 };

// Which step of the ladder of products and depthwise convolutions runs (docs/kernels.md): one thread per
// element; 16 x 16 tiles in shared memory; the pipelined kernel, which the other two are there to be compared
// with.
enum class KernelLevel { naive, tiled, fast };

// Who computes convolutions and GEMMs: the kernels here; cuDNN and cuBLAS (cuda/vendor/, only on the device
// cuda), loaded when the device is opened; or, shape by shape, the faster of the two, timed at the first
// call. That choice may differ from run to run, and with it the last bits of results.
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
// Why open() would give no device that computes, one kernel tried; empty where it would.
std::string obstacle();
}  // namespace cuda

namespace emulated {
// Throws a usage Error for any engine but hand.
std::unique_ptr<Backend> open(const GpuOptions& options = {});
std::string obstacle();
}  // namespace emulated

}  // namespace adwp
