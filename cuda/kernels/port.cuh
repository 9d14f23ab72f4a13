// The one header that kernels include: CUDA itself under nvcc, its emulation under a host compiler.
//
// The same sources are built twice, as the device `cuda` and as the device `emulated`, in the namespace
// adwp::ADWP_GPU (cuda or emulated), so that one program may hold both. Rules for kernels:
// docs/kernels.md.
#pragma once

#if !defined(ADWP_GPU)
#error "built as adwp::cuda or adwp::emulated: define ADWP_GPU"
#endif

#include "cuda/runtime/launch.cuh"
#if defined(__CUDACC__)
#include "cuda/kernels/ptx.cuh"
#else
#include "cuda/emulation/ptx.h"
#endif
