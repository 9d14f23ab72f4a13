// Kernels as oneDNN's Winograd primitives take them when they are transformed ahead.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "framework/core/shape.h"

namespace adwp::cpu {

// By which kernel a convolution computes: its own, or the one by which dx is a convolution of dy: turned by
// half a turn, channels and filters exchanged.
enum class KernelUse { forward, dgrad };

// Whether a primitive's kernel lies as below.
bool packs_for_winograd(const dnnl::memory::desc& packed);

// Brings a kernel of 3 x 3, w (KRSC, f32), into the layout of a primitive for F(4x4, 3x3): the 36 numbers G g
// Gt of each pair of a filter and a channel, in blocks of 16 of each (dnnl_wino_wei_OBaaIBOIio, oneDNN 2.6);
// 0 where filters and channels fill no block. oneDNN's own routine takes thirty times as long
// (docs/results/cpu.md). Cut among threads; each number is computed by itself.
void pack_for_winograd(const float* w, const Shape& shape, KernelUse use, const dnnl::memory::desc& packed,
                       float* to);

}  // namespace adwp::cpu
