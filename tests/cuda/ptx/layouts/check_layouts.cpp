// Compares the matrix fragments of the device emulated and of the executor of PTX with CuTe's traits,
// NVIDIA's own description of them: every pair of elements of A and B, every element of C, every half word of
// ldmatrix.
#include <cstdio>
#include <cute/atom/copy_traits_sm75.hpp>
#include <cute/atom/mma_traits_sm80.hpp>

#include "tests/cuda/ptx/layouts/warps.h"

namespace adwp::layouts {
namespace {

long wrong = 0, compared = 0;

void expect(bool right, const char* name, const char* what, int i, int j) {
  constexpr long most_told = 20;
  ++compared;
  if (!right && ++wrong <= most_told) std::printf("%s: %s differs at %d, %d\n", name, what, i, j);
}

using Mma = decltype(Warps::mma_tf32);

// Slot v of a lane's values: one a register in tf32, two in bf16, the lower half first.
template <int PerRegister>
std::uint32_t encoded(float x, int slot) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return PerRegister == 1 ? bits : bits >> 16 << slot % 2 * 16;
}

// With 2 in one slot of A and 3 in one of B, C is 6 where their k is the same, at A's row and B's column.
template <typename Traits, int PerRegister>
void check_products(const char* name, const char* what, Mma run) {
  using Shape = typename Traits::Shape_MNK;
  constexpr int M = cute::size<0>(Shape{}), N = cute::size<1>(Shape{});
  constexpr typename Traits::ALayout layout_a{};  // CuTe: lane and slot to a column-major index into (M, K)
  constexpr typename Traits::BLayout layout_b{};
  constexpr typename Traits::CLayout layout_c{};
  constexpr int slots_a = cute::size<1>(layout_a), slots_b = cute::size<1>(layout_b);
  static_assert(slots_a == 4 * PerRegister && slots_b == 2 * PerRegister && cute::size<1>(layout_c) == 4);
  for (int at = 0; at < 32 * slots_a * 32 * slots_b; ++at) {
    const int slot_b = at % slots_b, lane_b = at / slots_b % 32;
    const int slot_a = at / slots_b / 32 % slots_a, lane_a = at / slots_b / 32 / slots_a;
    const int in_a = layout_a(lane_a, slot_a), in_b = layout_b(lane_b, slot_b);
    std::uint32_t a[32][4] = {}, b[32][2] = {};
    float c[32][4] = {};
    a[lane_a][slot_a / PerRegister] = encoded<PerRegister>(2, slot_a);
    b[lane_b][slot_b / PerRegister] = encoded<PerRegister>(3, slot_b);
    run(a, b, c);
    bool right = true;
    for (int i = 0; i < 128; ++i) {
      const int in_c = layout_c(i / 4, i % 4);
      const bool meets = in_a / M == in_b / N && in_c % M == in_a % M && in_c / M == in_b % N;
      right &= c[i / 4][i % 4] == (meets ? 6.0f : 0.0f);
    }
    expect(right, name, what, lane_a * slots_a + slot_a, lane_b * slots_b + slot_b);
  }
}

// What stands in C is added to in place.
void check_sums(const char* name, const char* what, Mma run) {
  std::uint32_t a[32][4] = {}, b[32][2] = {};
  float c[32][4];
  for (int i = 0; i < 128; ++i) c[i / 4][i % 4] = static_cast<float>(i);
  run(a, b, c);
  for (int i = 0; i < 128; ++i) expect(c[i / 4][i % 4] == static_cast<float>(i), name, what, i / 4, i % 4);
}

template <typename Traits>
void check_ldmatrix(const Warps& warps, bool transposed) {
  constexpr typename Traits::SrcLayout source{};  // in bits: lane t gives the address of row t
  constexpr typename Traits::DstLayout target{};
  const char* what = transposed ? "ldmatrix.trans" : "ldmatrix";
  std::uint16_t rows[256];
  for (int i = 0; i < 256; ++i) rows[i] = static_cast<std::uint16_t>(i);
  std::uint32_t r[32][4];
  warps.ldmatrix(transposed, rows, r);
  for (int lane = 0; lane < 32; ++lane) {
    expect(source(lane, 0) == lane * 128, warps.name, what, lane, -1);
    for (int half = 0; half < 8; ++half) {
      const auto found = static_cast<std::uint16_t>(r[lane][half / 2] >> half % 2 * 16);
      expect(found == target(lane, half * 16) / 16, warps.name, what, lane, half);
    }
  }
}

void check(const Warps& warps) {
  const long before = compared, wrong_before = wrong;
  check_products<cute::MMA_Traits<cute::SM80_16x8x8_F32TF32TF32F32_TN>, 1>(warps.name, "tf32",
                                                                           warps.mma_tf32);
  check_products<cute::MMA_Traits<cute::SM80_16x8x16_F32BF16BF16F32_TN>, 2>(warps.name, "bf16",
                                                                            warps.mma_bf16);
  check_sums(warps.name, "sums of tf32", warps.mma_tf32);
  check_sums(warps.name, "sums of bf16", warps.mma_bf16);
  check_ldmatrix<cute::Copy_Traits<cute::SM75_U32x4_LDSM_N>>(warps, false);
  check_ldmatrix<cute::Copy_Traits<cute::SM75_U16x8_LDSM_T>>(warps, true);
  std::printf("%s: %ld comparisons with CuTe's traits, %ld wrong\n", warps.name, compared - before,
              wrong - wrong_before);
}

}  // namespace
}  // namespace adwp::layouts

int main() {
  adwp::layouts::check(adwp::layouts::emulated());
  adwp::layouts::check(adwp::layouts::executed());
  return adwp::layouts::wrong == 0 ? 0 : 1;
}
