// Runs the kernels of program.h on the CPU, a warp at a time.
//
// The lanes of a warp have program counters of their own. Those at the lowest one run together, which brings
// lanes that a branch parted together again, as nvcc orders its code. Operations of a warp wait for all lanes
// that they name, bar.sync waits for all threads of the block that have not ended. Blocks run one after
// another.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <vector>

#include "tests/cuda/ptx/program.h"

namespace adwp::executor {

// What a GPU would stop at: names kernel, instruction, block and thread.
struct KernelFault : std::runtime_error {
  enum class Kind { address, misaligned, race, other };
  KernelFault(Kind k, const std::string& what) : std::runtime_error(what), kind(k) {}
  Kind kind;
};

struct Extents {
  std::uint32_t x = 1, y = 1, z = 1;
};

struct Launch {
  const Kernel* kernel = nullptr;
  Extents grid, block;
  std::vector<unsigned char> parameters;
  std::uint32_t dynamic_shared_bytes = 0;
};

// Memory that kernels may touch: from the key to the value, which is one past the end.
using Regions = std::map<std::uint64_t, std::uint64_t>;
bool within(const Regions& regions, std::uint64_t address, std::uint64_t bytes);

struct Options {
  std::uint64_t seed = 0;       // of the order of warps; 0: ascending, each as far as it can go
  bool races = true;            // watch shared memory for accesses that nothing orders
  bool truncated_sums = false;  // of mma, as tensor cores are reported to make them; else exact, rounded once
  bool counters = false;        // count bank rounds and sectors too
  std::uint64_t sample = 0;     // blocks of a launch that run, spread over it; 0: all
  bool last = false;            // of a sample: each block is the last that takes its tickets; else none is
};

// What ran, and with Options::counters the sectors of global memory that its blocks touched, each once a
// block, once more if it is written too.
// Of a sample: blocks that share the first ticket that was taken; 0: none was.
struct Ran {
  std::uint64_t blocks = 0, block_sectors = 0, sharing = 0;
};

// Throws KernelFault at the first fault.
Ran run(const Launch& launch, const Regions& memory, const Options& options);

}  // namespace adwp::executor
