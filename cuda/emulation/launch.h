// Launching a kernel on the emulated device: it has run when this returns, or is kept in a recording.
#pragma once

#include <tuple>
#include <utility>

#include "cuda/emulation/ptx.h"
#include "cuda/emulation/recording.h"

using Stream = void*;

// `name` is for messages. Returns early when the grid is empty.
template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            Stream, Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  } const call{kernel, std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)};
  adwp::emulation::do_or_keep([=] {
    adwp::emulation::run_grid(
        name, grid, block, shared_bytes,
        [](const void* opaque) {
          const Call& own = *static_cast<const Call*>(opaque);
          std::apply(own.kernel, own.arguments);
        },
        &call);
  });
}
