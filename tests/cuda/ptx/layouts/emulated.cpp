#include <cstring>

#include "cuda/emulation/ptx.h"
#include "cuda/runtime/launch.cuh"
#include "tests/cuda/ptx/layouts/warps.h"

namespace adwp::layouts {
namespace {

template <auto Mma>
void mma_kernel(const std::uint32_t (*a)[4], const std::uint32_t (*b)[2], float (*c)[4]) {
  const unsigned t = threadIdx.x;
  Mma(c[t], a[t], b[t], adwp::emulation::Location::current());
}
template <auto Mma>
void mma(const std::uint32_t (*a)[4], const std::uint32_t (*b)[2], float (*c)[4]) {
  launch("mma", mma_kernel<Mma>, 1, 32, 0, nullptr, a, b, c);
}

template <bool Transposed>
void ldmatrix_kernel(const std::uint16_t* rows, std::uint32_t (*r)[4]) {
  ptx::ldmatrix_x4<Transposed>(r[threadIdx.x], rows + threadIdx.x * 8);
}
void ldmatrix(bool transposed, const std::uint16_t* rows, std::uint32_t (*r)[4]) {
  alignas(16) std::uint16_t copy[256];
  std::memcpy(copy, rows, sizeof(copy));
  launch("ldmatrix", transposed ? ldmatrix_kernel<true> : ldmatrix_kernel<false>, 1, 32, 0, nullptr,
         static_cast<const std::uint16_t*>(copy), r);
}

}  // namespace

Warps emulated() { return {"emulated", mma<ptx::mma_tf32>, mma<ptx::mma_bf16>, ldmatrix}; }

}  // namespace adwp::layouts
