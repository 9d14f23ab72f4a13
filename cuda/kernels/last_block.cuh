// The last block: what many blocks have left is put together by whichever of them comes last, without a
// launch of its own. A block takes a ticket when it has written; the tickets are integers, and what the last
// one computes does not depend on which it is: the same bits every time.
#pragma once

#include "cuda/kernels/math.cuh"

namespace adwp::ADWP_GPU {

// Is this the last of so many blocks that call it with this ticket? If so, it sees what all of them have
// written before. For all threads of a block. The ticket is zero before the first block and after the last:
// atomicInc begins anew there.
__device__ __forceinline__ bool last_of(unsigned* ticket, int blocks) {
  SHARED(unsigned, taken, [1]);
  __threadfence();  // before the ticket: what this thread has written
  __syncthreads();
  if (thread_index() == 0) taken[0] = atomicInc(ticket, static_cast<unsigned>(blocks) - 1);
  __syncthreads();
  const bool last = taken[0] == static_cast<unsigned>(blocks) - 1;
  if (last) __threadfence();  // behind it: what others have written
  return last;
}

}  // namespace adwp::ADWP_GPU
