// The one way a kernel is launched on a GPU: checked, and returning early when there is nothing to do.
#pragma once

#include <cuda_runtime.h>

#include <utility>

using Stream = void*;

namespace adwp::cuda {
// Throws Error for anything but cudaSuccess; `what` names the kernel or the call.
void check(cudaError_t status, const char* what);
}  // namespace adwp::cuda

template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            Stream stream, Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  if (shared_bytes > 48 * 1024) {
    adwp::cuda::check(
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
        name);
  }
  kernel<<<grid, block, shared_bytes, static_cast<cudaStream_t>(stream)>>>(
      static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  adwp::cuda::check(cudaGetLastError(), name);
}
