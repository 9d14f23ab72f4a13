// One warp's mma and ldmatrix on plain arrays: on the device emulated and on the executor of PTX. Apart from
// check_layouts.cpp, because CUDA's headers and the emulation both define CUDA's types.
#pragma once

#include <cstdint>

namespace adwp::layouts {

struct Warps {
  const char* name;
  void (*mma_tf32)(const std::uint32_t (*a)[4], const std::uint32_t (*b)[2], float (*c)[4]);
  void (*mma_bf16)(const std::uint32_t (*a)[4], const std::uint32_t (*b)[2], float (*c)[4]);
  // rows: 32 of 8 elements; r: what each lane gets.
  void (*ldmatrix)(bool transposed, const std::uint16_t* rows, std::uint32_t (*r)[4]);
};

Warps emulated();
Warps executed();

}  // namespace adwp::layouts
