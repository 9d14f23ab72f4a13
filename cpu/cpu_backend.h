// The CPU device: oneDNN for dense convolution and GEMM, own vectorised loops for the rest.
#pragma once

#include <memory>

#include "framework/backend/backend.h"

namespace adwp::cpu {

// How dense convolutions multiply when they are trained: in f32, or with operands rounded to bf16 and sums in
// f32. Everything else, and evaluation with given statistics, is in f32.
enum class Products { f32, bf16 };
bool has_bf16();  // whether the processor has instructions for that (AVX512_BF16)

// `threads`: how many OpenMP threads; 0: one a core. Denormals are flushed to zero on all of them.
std::unique_ptr<Backend> open_cpu(int threads = 0, Products products = Products::f32);

}  // namespace adwp::cpu
