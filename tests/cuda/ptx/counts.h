// What kernels did, summed over their instructions, and what is told of every launch.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "tests/cuda/ptx/machine.h"

namespace adwp::executor {

struct Counts {
  std::array<std::uint64_t, class_count> executed{};  // instructions of warps, by class
  std::uint64_t bank_rounds = 0, ideal_rounds = 0, sectors = 0, ideal_sectors = 0;
  std::size_t reached = 0, instructions = 0;  // of the kernel's text

  std::uint64_t all_executed() const;
  void add(const Counts& other);
  Counts since(const Counts& before) const;  // what came on top; reached and instructions as they are
};

Counts counts_of(const Kernel& kernel);

// One launch, or work on memory alone. Of a launch of which a sample of blocks has run, counts are those of
// the sample; `scale` makes them those of the whole.
struct Done {
  const Kernel* kernel = nullptr;  // nullptr: a copy or a fill of `bytes`
  std::uint64_t bytes = 0;
  bool from_host = false;  // the copy
  Extents grid, block;
  std::uint32_t dynamic_shared_bytes = 0;
  double scale = 1;
  Counts counts;
  // Of a sample whose blocks take tickets: what the last block does more, and how many there are that do.
  Counts tail;
  double tails = 0;
  std::uint64_t block_sectors =
      0;  // distinct in each block: what is left where each block reads through a cache
};
using Tell = std::function<void(const Done&)>;

}  // namespace adwp::executor
