// The intrinsics that kernels use: barriers, shuffles and votes.
#pragma once

#include <cmath>
#include <cstring>

#include "cuda/emulation/scheduler.h"

// Shared arrays, from an arena with red zones between them: SHARED(float, tile, [8][33]);
#define SHARED(T, name, dims)                                                                          \
  static constinit thread_local ::adwp::emulation::SharedSlot name##_slot;                             \
  T(&name)                                                                                             \
  dims = *reinterpret_cast<T(*) dims>(                                                                 \
      ::adwp::emulation::static_shared(name##_slot, sizeof(T dims), alignof(T) > 16 ? alignof(T) : 16, \
                                       ::adwp::emulation::Location::current()))
#define DYN_SHARED(T, name) T* name = static_cast<T*>(::adwp::emulation::dynamic_shared())
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif
#define UNROLL_BY(n)

inline void __syncthreads(adwp::emulation::Location where = adwp::emulation::Location::current()) {
  adwp::emulation::barrier(where);
}
inline void __syncwarp(unsigned mask = ~0u,
                       adwp::emulation::Location where = adwp::emulation::Location::current()) {
  adwp::emulation::warp_operation([](void* const*, std::uint32_t) {}, nullptr, mask, where);
}

inline void __threadfence() { adwp::emulation::fence(); }
// Orders nothing by itself. A ticket (cuda/kernels/last_block.cuh): a fault unless all threads of the block
// have fenced since the last one.
inline unsigned atomicInc(unsigned* at, unsigned last,
                          adwp::emulation::Location where = adwp::emulation::Location::current()) {
  adwp::emulation::take_ticket(where);
  unsigned old = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(at, &old, old >= last ? 0 : old + 1, true, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED)) {
  }
  return old;
}

namespace adwp::emulation {

template <typename T>
T shuffle(unsigned mask, T value, int source, Location where) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  struct Lane {
    T value, result;
    int source;
  } own{value, value, source};
  warp_operation(
      [](void* const* lanes, std::uint32_t present) {
        for (int i = 0; i < 32; ++i) {
          if ((present >> i & 1) == 0) continue;
          auto* lane = static_cast<Lane*>(lanes[i]);
          if (present >> lane->source & 1) {
            lane->result = static_cast<Lane*>(lanes[lane->source])->value;
          } else {  // what an absent lane gives is undefined
            std::memset(&lane->result, 0xFF, sizeof(T));
          }
        }
      },
      &own, mask, where);
  return own.result;
}

}  // namespace adwp::emulation

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              adwp::emulation::Location where = adwp::emulation::Location::current()) {
  const int lane = adwp::emulation::lane();
  return adwp::emulation::shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)), where);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32,
                  adwp::emulation::Location where = adwp::emulation::Location::current()) {
  const int lane = adwp::emulation::lane(), source = lane ^ bits;
  return adwp::emulation::shuffle(mask, value, source <= (lane | (width - 1)) ? source : lane, where);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, int delta, int width = 32,
                   adwp::emulation::Location where = adwp::emulation::Location::current()) {
  const int lane = adwp::emulation::lane();
  return adwp::emulation::shuffle(mask, value, (lane & (width - 1)) + delta < width ? lane + delta : lane,
                                  where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              adwp::emulation::Location where = adwp::emulation::Location::current()) {
  struct Lane {
    int predicate;
    unsigned votes;
  } own{predicate, 0};
  adwp::emulation::warp_operation(
      [](void* const* lanes, std::uint32_t present) {
        unsigned votes = 0;
        for (int i = 0; i < 32; ++i) {
          if ((present >> i & 1) && static_cast<Lane*>(lanes[i])->predicate) votes |= 1u << i;
        }
        for (int i = 0; i < 32; ++i) {
          if (present >> i & 1) static_cast<Lane*>(lanes[i])->votes = votes;
        }
      },
      &own, mask, where);
  return own.votes;
}
