// The kernels that the networks of a space call, by method and shape, and how often.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "framework/backend/backend.h"
#include "nas/space/search_space.h"

namespace adwp::bench {

struct KernelCase {
  std::string method, shape;    // "conv2d_dgrad", "3x3 s2 (64, 32, 32, 48) -> 96"
  std::vector<Shape> operands;  // all that it reads and writes, f32
  double flops = 0;             // of one call
  bool product = false;         // a matrix product or a convolution, of which there is a ladder
  // Calls the method with tensors of those shapes.
  std::function<void(Backend&, const std::vector<Tensor>&)> call;
  // The same by the methods that it joins; empty for all others. Timed beside it.
  std::function<void(Backend&, const std::vector<Tensor>&)> apart = {};
  double calls = 0;  // in one training step, mean over the networks

  double bytes() const;  // every operand once
};

// What a training step at `batch` calls, over `networks` random architectures of the space; the small change
// (activations by themselves, gradients of sums, loss, optimizer) left out.
std::vector<KernelCase> sample_kernels(const nas::SearchSpace& space, const nas::Task& task,
                                       std::int64_t batch, std::int64_t networks, std::uint64_t seed);

}  // namespace adwp::bench
