// The kernels that the networks of a space call, by method and shape, and how often.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/cases/operator_case.h"
#include "nas/space/search_space.h"

namespace adwp::bench {

struct SpaceKernel {
  Kernel kernel;
  Kernel::Facts facts;
  double calls = 0;  // in one training step, mean over the networks
};

// What a training step at `batch` calls, over `networks` random architectures of the space, leaving out what
// takes little time: activations by themselves, gradients of sums, loss, optimizer.
std::vector<SpaceKernel> sample_kernels(Backend& backend, const nas::SearchSpace& space,
                                        const nas::Task& task, std::int64_t batch, std::int64_t networks,
                                        std::uint64_t seed);

}  // namespace adwp::bench
