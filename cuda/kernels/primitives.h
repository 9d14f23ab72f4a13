// The primitives under the matrix kernels, one warp at a time, from host memory to host memory: what the
// conformance test runs on the hardware and on the emulation alike.
#pragma once

#include <cstdint>
#include <functional>

namespace adwp {

struct Primitives {
  // c (16, 8) += a (16, 8) b (8, 8), operands in TF32; c (16, 8) += a (16, 16) b (16, 8), in bf16.
  std::function<void(const float*a, const float*b, float*c)> mma_tf32, mma_bf16;
  // to (32, 4): lane by lane what ldmatrix gives of four 8x8 matrices, from (32, 8) 16-bit numbers.
  std::function<void(bool transposed, const std::uint16_t* from, std::uint32_t* to)> ldmatrix;
  // y (256) = x where valid (64, one number per four), else 0; by copies of 16 and of 4 bytes.
  std::function<void(const float* x, const std::int32_t* valid, float* y16, float* y4)> copy;
};

namespace cuda {
Primitives primitives();  // throws Error when there is no GPU
}
namespace emulated {
Primitives primitives();
}

}  // namespace adwp
