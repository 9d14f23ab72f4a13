// CUDA's execution model on the CPU, and its stand-in for stream capture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <utility>
#include <vector>

#include "cuda/emulation/cuda_types.h"

namespace adwp::emulation {

// What takes the place of stream capture on the emulated device: while a recording is on, launches, copies
// and fills are kept, with their arguments, instead of done.

using Recording = std::vector<std::function<void()>>;

// Of the calling thread; nullptr: work is done at once.
inline thread_local Recording* recording = nullptr;

template <typename Work>
void do_or_keep(Work&& work) {
  if (recording == nullptr) return work();
  recording->push_back(std::forward<Work>(work));
}

// CUDA's execution model on the CPU: a grid runs block by block, a block's threads are fibers.
//
// A thread runs until it waits at a barrier or in a warp operation, or ends; then the scheduler picks
// another. In which order is the seed's choice: 0 runs threads ascending, first come first served; odd
// seeds pick a random warp, then a random lane; even seeds let one warp run as far ahead as barriers
// allow. A kernel that misses a barrier gives other results under some of these orders.
//
// Checked always, each fault naming kernel, source line, block and thread: barriers that part of a
// block never reaches or that are not the same one, warp operations whose lanes do not meet, too much
// shared memory, misaligned copies. Shared memory is poisoned with NaN before each block. Under
// AddressSanitizer shared arrays have red zones; under ThreadSanitizer every CUDA thread is a thread of
// its own to it, and only barriers and warp operations order them.
//
// This file and scheduler.cpp are compiled without ThreadSanitizer, kernels with it.

using Location = std::source_location;

inline constexpr std::size_t most_shared = 232448;  // bytes of shared memory a block may have; as sm_90

struct Options {
  std::uint64_t seed = 0;  // of the schedule
  int workers = 1;         // operating-system threads that share a grid's blocks
};
Options& options();

// Runs body(arguments) once for every thread of the grid; throws Error at the first fault.
void run_grid(const char* kernel, dim3 grid, dim3 block, std::size_t shared_bytes, void (*body)(const void*),
              const void* arguments);

// --- called by a running thread -----------------------------------------------------------------

void barrier(Location where);  // __syncthreads
// __threadfence: to ThreadSanitizer, what stands before a fence comes before what stands behind a later one.
void fence();
void take_ticket(Location where);  // an atomic by which blocks tell each other what they have written

// Waits until all lanes of `mask` have arrived at the same place; then `function` runs once, by the
// last to arrive, with the lanes' arguments (those of absent lanes are stale).
using WarpFunction = void (*)(void* const* lanes, std::uint32_t mask);
void warp_operation(WarpFunction function, void* arguments, std::uint32_t mask, Location where);

int lane();  // of the running thread in its warp

// A shared array: one address for a block, another in the next.
struct SharedSlot {
  std::uint64_t block = 0;
  void* address = nullptr;
};
void* static_shared(SharedSlot& slot, std::size_t bytes, std::size_t alignment, Location where);
void* dynamic_shared();

// The running thread's asynchronous copies, in order of issue.
struct AsyncCopy {
  void* to;
  std::uint32_t bytes, group;
  alignas(16) unsigned char data[16];
};
struct AsyncCopies {
  std::uint32_t group = 0;
  int first = 0, end = 0, room = 0;
  AsyncCopy* list = nullptr;
};
AsyncCopies& async_copies();
AsyncCopy& push_async_copy(AsyncCopies& copies);

// Ends the grid with an error that names the running thread.
[[noreturn]] void fault(const char* what, Location where);

}  // namespace adwp::emulation
