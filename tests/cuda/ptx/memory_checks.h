// What is asked of every access to memory: bounds, alignment, and in shared memory an order.
#pragma once

#include "tests/cuda/ptx/warp.h"

namespace adwp::executor {

enum class Access { read, write };

// Throws KernelFault unless `bytes` at `address` are aligned to their number and lie in one allocation.
void check_global(Warp& warp, int lane, std::uint64_t address, std::uint32_t bytes);

// What blocks tell each other in global memory by an atomic. Throws for a read behind an atomic of the block
// that the thread has no fence after; and for an atomic while a thread of the block has written and not
// fenced since.
void check_order(Warp& warp, int lane, Access access);
void check_published(const Warp& warp, int lane);

// As check_global, for shared memory. Throws as well for a race: two threads touch a word (a byte, in a
// kernel that touches single ones), one of them writes, and no barrier of the block, nor of the warp if they
// are of one warp, stands between.
void check_shared(Warp& warp, int lane, std::uint32_t at, std::uint32_t bytes, Access access);

// Adds what an access by these lanes costs to the instruction's counters. Banks: 32 of 4 bytes; accesses of 4
// bytes are served 32 lanes at a time, of 8 bytes 16, of 16 bytes 8; lanes that want the same word share it.
void count_shared(const Instruction& in, std::uint32_t lanes, const std::uint32_t* at, std::uint32_t bytes);
void count_global(Block& block, const Instruction& in, std::uint32_t lanes, const std::uint64_t* at,
                  std::uint32_t bytes, Access access);

}  // namespace adwp::executor
