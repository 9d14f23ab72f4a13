// The primitives of ptx.cuh by themselves, one warp each: what tests/cuda/fragments_test.cpp holds the
// hardware and the emulation to.
#pragma once

#include <cstdint>

#include "cuda/runtime/stream.h"

namespace adwp::ADWP_GPU::kernels {

// c (16, 8) += a (16, 8) b (8, 8), operands in TF32; c (16, 8) += a (16, 16) b (16, 8), in bf16.
void mma_tf32_tile(Stream stream, const float* a, const float* b, float* c);
void mma_bf16_tile(Stream stream, const float* a, const float* b, float* c);
// to (32, 4): lane by lane what ldmatrix gives of four 8x8 matrices, from (32, 8) 16-bit numbers.
void ldmatrix_tile(Stream stream, bool transposed, const std::uint16_t* from, std::uint32_t* to);
// y (256) = x where valid (by fours), else 0; by asynchronous copies of 16 and of 4 bytes.
void copy_tile(Stream stream, const float* x, const std::int32_t* valid, float* y16, float* y4);

}  // namespace adwp::ADWP_GPU::kernels
