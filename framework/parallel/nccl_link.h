// NCCL between the GPUs of a group's ranks. A part of the MPI library: nothing else knows NCCL.
//
// NCCL's own sums (ncclAllReduce, ncclReduceScatter) promise no order of additions: it changes with the
// number of ranks, the topology and NCCL's version. So NCCL only carries parts here, and each rank adds all
// of them in the order of their numbers.
#pragma once

#include <memory>

#include "framework/core/tensor.h"
#include "framework/parallel/group.h"

namespace adwp::parallel {

class NcclLink {
 public:
  virtual ~NcclLink() = default;

  // Collective. nullptr, on all ranks, where one of them has no GPU for this memory or no libnccl.so.2.
  static std::unique_ptr<NcclLink> open(Group& group, Memory& memory);

  virtual void gather(const Tensor& mine, const Tensor& all) = 0;  // as Group::gather
};

}  // namespace adwp::parallel
