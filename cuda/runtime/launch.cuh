// The one way a kernel is launched: on a GPU with every call checked, on the emulated device at once, or kept
// in a recording.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#else
#include <tuple>

#include "cuda/emulation/scheduler.h"
#endif

using Stream = void*;  // a cudaStream_t, without CUDA's headers

// How many blocks a launch has. One extent too large becomes the largest number there is, which every device
// refuses.
struct Grid {
  std::int64_t x, y, z;
  Grid(std::int64_t across, std::int64_t down = 1, std::int64_t deep = 1) : x(across), y(down), z(deep) {}

  bool empty() const { return x == 0 || y == 0 || z == 0; }
  dim3 extents() const { return dim3(extent(x), extent(y), extent(z)); }

 private:
  static unsigned extent(std::int64_t n) { return n < 0 || n > UINT32_MAX ? UINT32_MAX : n; }
};

#if defined(__CUDACC__)

namespace adwp::cuda {
// Throws Error for anything but cudaSuccess; `what` names the kernel or the call.
void check(cudaError_t status, const char* what);
}  // namespace adwp::cuda

// `name` is for messages. Returns early when the grid is empty.
template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const Grid& grid, dim3 block,
            std::size_t shared_bytes, Stream stream, Arguments&&... arguments) {
  if (grid.empty()) return;
  if (shared_bytes > 48 * 1024) {
    adwp::cuda::check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                           cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes),
                      name);
  }
  kernel<<<grid.extents(), block, shared_bytes, static_cast<cudaStream_t>(stream)>>>(
      static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  adwp::cuda::check(cudaGetLastError(), name);
}

#else

template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const Grid& grid, dim3 block,
            std::size_t shared_bytes, Stream, Arguments&&... arguments) {
  if (grid.empty()) return;
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  } const call{kernel, std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)};
  adwp::emulation::do_or_keep([=, extents = grid.extents()] {
    adwp::emulation::run_grid(
        name, extents, block, shared_bytes,
        [](const void* opaque) {
          const Call& own = *static_cast<const Call*>(opaque);
          std::apply(own.kernel, own.arguments);
        },
        &call);
  });
}

#endif
