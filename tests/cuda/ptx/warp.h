// The state of a block and of its warps while they run, and how operations reach it.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/cuda/ptx/machine.h"

namespace adwp::executor {

constexpr std::uint32_t all_lanes = ~std::uint32_t{0};

// Who last touched four bytes of shared memory, and when: barriers of the block count epochs, those of a warp
// count its syncs.
struct Shadow {
  static constexpr std::uint32_t nobody = ~std::uint32_t{0}, many = nobody - 1;
  std::uint32_t writer = nobody, write_epoch = 0, write_sync = 0;     // a thread
  std::uint32_t reader_warp = nobody, read_epoch = 0, read_sync = 0;  // many: several warps in this epoch
  std::uint32_t reader = nobody;                                      // many: several threads since the sync
};

struct Warp;

struct Block {
  const std::vector<Warp>* warps = nullptr;
  const Launch* launch = nullptr;
  const Regions* memory = nullptr;
  const Options* options = nullptr;
  Extents index;
  std::vector<unsigned char> shared;
  std::vector<Shadow> shadow;
  std::uint32_t epoch = 1;
  std::vector<std::uint64_t> touched;  // sectors of global memory: twice the number, 1 more where written
  std::uint64_t atomics = 0;           // so far
  std::uint64_t sharing = 0;           // blocks that share the first ticket taken, in a sample
};

// A copy that cp.async has issued and nothing has waited for.
struct AsyncCopy {
  int lane = 0;
  std::uint32_t group = 0, to = 0, bytes = 0;
  unsigned char data[16] = {};
};

struct Warp {
  unsigned char* file = nullptr;  // its registers
  Block* block = nullptr;
  const Kernel* kernel = nullptr;
  std::uint32_t number = 0;  // in the block
  std::uint32_t counter[warp_size] = {};
  std::uint32_t alive = 0, at_barrier = 0, at_warp_operation = 0;  // lanes
  std::uint32_t sync = 1;
  std::uint32_t group[warp_size] = {};  // that cp.async adds to
  std::vector<AsyncCopy> copies;
  std::vector<unsigned char> local;
  std::uint64_t region_begin = 1, region_end = 0;  // of global memory that was touched last
  std::uint32_t unfenced = 0;               // lanes that have written global memory since their last fence
  std::uint64_t fenced_at[warp_size] = {};  // atomics of the block before the lane's last fence
  const Instruction* now = nullptr;

  std::uint32_t thread(int lane) const { return number * warp_size + static_cast<std::uint32_t>(lane); }
};

// A register: one value a lane. Registers have no type of their own (-fno-strict-aliasing).
template <typename T>
T* values(Warp& warp, std::uint32_t offset) {
  return reinterpret_cast<T*>(warp.file + offset);
}
template <typename T>
T* operand(Warp& warp, const Instruction& in, int which) {
  return values<T>(warp, in.operands[static_cast<std::size_t>(which)]);
}

// body(lane) for each; in a loop of known length, which is vectorised, when all take part.
template <typename Body>
inline __attribute__((always_inline)) void each(std::uint32_t lanes, Body&& body) {
  if (lanes == all_lanes) {
    for (int lane = 0; lane < warp_size; ++lane) body(lane);
  } else {
    for (std::uint32_t left = lanes; left != 0; left &= left - 1) body(std::countr_zero(left));
  }
}

// Throws KernelFault; the instruction is the warp's present one.
[[noreturn]] void stop(const Warp& warp, int lane, KernelFault::Kind kind, const std::string& what);

// The warp goes on until it waits for the block, has ended, or has executed `quantum` instructions.
void advance(Warp& warp, std::uint64_t quantum);

}  // namespace adwp::executor
