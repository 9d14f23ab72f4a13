// The wrappers of cuda/kernels/ptx.cuh, emulated: asynchronous copies and matrix fragments, lane by lane
// as the PTX manual draws them.
#pragma once

#include <bit>

#include "cuda/emulation/intrinsics.h"

namespace ptx {

using adwp::emulation::Location;

// The destination is undefined (NaN) from the issue on; the data land at the wait, as late as the model
// allows.
template <int Bytes>
void cp_async(void* to, const void* from, bool valid, Location where = Location::current()) {
  static_assert(Bytes == 4 || Bytes == 16);
  if (reinterpret_cast<std::uintptr_t>(to) % Bytes != 0 ||
      (valid && reinterpret_cast<std::uintptr_t>(from) % Bytes != 0)) {
    adwp::emulation::fault("misaligned cp.async", where);
  }
  unsigned char data[Bytes] = {}, undefined[Bytes];
  std::memset(undefined, 0xFF, Bytes);
  if (valid) std::memcpy(data, from, Bytes);
  adwp::emulation::AsyncCopy& copy = adwp::emulation::push_async_copy(adwp::emulation::async_copies());
  copy.to = to;
  copy.bytes = Bytes;
  std::memcpy(copy.data, data, Bytes);
  std::memcpy(to, undefined, Bytes);
}

inline void cp_async_commit() { ++adwp::emulation::async_copies().group; }

// Waits until at most `Pending` of the latest groups are under way.
template <int Pending>
void cp_async_wait() {
  adwp::emulation::AsyncCopies& copies = adwp::emulation::async_copies();
  while (copies.first < copies.end && copies.list[copies.first].group + Pending < copies.group) {
    const adwp::emulation::AsyncCopy& copy = copies.list[copies.first++];
    if (copy.bytes == 16) {
      std::memcpy(copy.to, copy.data, 16);
    } else {
      std::memcpy(copy.to, copy.data, 4);
    }
  }
  if (copies.first == copies.end) copies.first = copies.end = 0;
}

// Round to nearest, ties away: 10 bits of mantissa.
inline std::uint32_t to_tf32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7F800000u) == 0x7F800000u) return bits;
  return (bits + 0x1000u) & 0xFFFFE000u;
}

// Two bf16, rounded to nearest even; `low` in the lower half.
inline std::uint32_t to_bf16x2(float low, float high) {
  auto round = [](float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return bits >> 16 | 64u;
    return (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
  };
  return round(low) | round(high) << 16;
}

// The two of a word, in f32.
inline float low_bf16(std::uint32_t bits) { return std::bit_cast<float>(bits << 16); }
inline float high_bf16(std::uint32_t bits) { return std::bit_cast<float>(bits & 0xFFFF0000u); }

// 16 bytes to global memory in one access.
template <typename T>
void store_16(T* to, const auto(&values)[4], Location where = Location::current()) {
  if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0) adwp::emulation::fault("misaligned store", where);
  std::memcpy(to, values, 16);
}

// Four 8x8 matrices of 16-bit elements; lane i gives the address of row i % 8 of matrix i / 8.
template <bool Transposed>
void ldmatrix_x4(std::uint32_t (&r)[4], const void* row, Location where = Location::current()) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) {
    adwp::emulation::fault("misaligned ldmatrix", where);
  }
  // Each lane's row as it stands when the lane arrives: ldmatrix orders nothing between lanes.
  struct Lane {
    std::uint32_t* r;
    std::uint16_t row[8];
  } own{r, {}};
  std::memcpy(own.row, row, 16);
  adwp::emulation::warp_operation(
      [](void* const* lanes, std::uint32_t) {
        for (int matrix = 0; matrix < 4; ++matrix) {
          auto m = [&](int i, int j) {
            return std::uint32_t{static_cast<Lane*>(lanes[matrix * 8 + i])->row[j]};
          };
          for (int i = 0; i < 32; ++i) {
            const int group = i / 4, pair = i % 4 * 2;
            const std::uint32_t low = Transposed ? m(pair, group) : m(group, pair);
            const std::uint32_t high = Transposed ? m(pair + 1, group) : m(group, pair + 1);
            static_cast<Lane*>(lanes[i])->r[matrix] = low | high << 16;
          }
        }
      },
      &own, ~0u, where);
}

namespace detail {

struct MmaLane {
  float* c;
  const std::uint32_t *a, *b;
};

// c (16, 8) += a (16, K) b (K, 8), the products of a row summed in ascending k.
template <int K>
void multiply(void* const* lanes, const float (&a)[16][K], const float (&b)[K][8]) {
  float c[16][8];
  for (int i = 0; i < 32; ++i) {
    const float* own = static_cast<MmaLane*>(lanes[i])->c;
    const int group = i / 4, pair = i % 4 * 2;
    c[group][pair] = own[0];
    c[group][pair + 1] = own[1];
    c[group + 8][pair] = own[2];
    c[group + 8][pair + 1] = own[3];
  }
  for (int m = 0; m < 16; ++m) {
    for (int k = 0; k < K; ++k) {
      for (int n = 0; n < 8; ++n) c[m][n] += a[m][k] * b[k][n];
    }
  }
  for (int i = 0; i < 32; ++i) {
    float* own = static_cast<MmaLane*>(lanes[i])->c;
    const int group = i / 4, pair = i % 4 * 2;
    own[0] = c[group][pair];
    own[1] = c[group][pair + 1];
    own[2] = c[group + 8][pair];
    own[3] = c[group + 8][pair + 1];
  }
}

}  // namespace detail

// mma.sync.m16n8k8, TF32: lane i holds a[group + 8 (r % 2)][in + 4 (r / 2)], b[in + 4 r][group] and
// c[group + 8 (r / 2)][2 in + r % 2], with group = i / 4, in = i % 4.
inline void mma_tf32(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                     Location where = Location::current()) {
  detail::MmaLane own{c, a, b};
  adwp::emulation::warp_operation(
      [](void* const* lanes, std::uint32_t) {
        float x[16][8], y[8][8];
        for (int i = 0; i < 32; ++i) {
          const auto* lane = static_cast<detail::MmaLane*>(lanes[i]);
          const int group = i / 4, in = i % 4;
          for (int r = 0; r < 4; ++r) {
            x[group + r % 2 * 8][in + r / 2 * 4] = std::bit_cast<float>(lane->a[r] & 0xFFFFE000u);
          }
          for (int r = 0; r < 2; ++r) {
            y[in + r * 4][group] = std::bit_cast<float>(lane->b[r] & 0xFFFFE000u);
          }
        }
        detail::multiply<8>(lanes, x, y);
      },
      &own, ~0u, where);
}

// mma.sync.m16n8k16, bf16: as above with pairs of neighbours in k in one register.
inline void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                     Location where = Location::current()) {
  detail::MmaLane own{c, a, b};
  adwp::emulation::warp_operation(
      [](void* const* lanes, std::uint32_t) {
        float x[16][16], y[16][8];
        for (int i = 0; i < 32; ++i) {
          const auto* lane = static_cast<detail::MmaLane*>(lanes[i]);
          const int group = i / 4, pair = i % 4 * 2;
          for (int r = 0; r < 4; ++r) {
            const int row = group + r % 2 * 8, column = pair + r / 2 * 8;
            x[row][column] = low_bf16(lane->a[r]);
            x[row][column + 1] = high_bf16(lane->a[r]);
          }
          for (int r = 0; r < 2; ++r) {
            y[pair + r * 8][group] = low_bf16(lane->b[r]);
            y[pair + r * 8 + 1][group] = high_bf16(lane->b[r]);
          }
        }
        detail::multiply<16>(lanes, x, y);
      },
      &own, ~0u, where);
}

}  // namespace ptx
