// The smallest kernel: does this GPU run what this binary was built of?
#include <cstdint>

#include "cuda/kernels/math.cuh"
#include "cuda/runtime/device.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

__global__ void __launch_bounds__(32) write_lanes(std::int32_t* lanes) {
  lanes[threadIdx.x] = thread_index() + 1;
}

}  // namespace

// --- probe -------------------------------------------------------------------------------------------

bool probe(Device& device) {
  constexpr std::size_t count = 32;
  struct Memory {
    explicit Memory(Device& of) : device(of), lanes(of.allocate(count * sizeof(std::int32_t))) {}
    ~Memory() { device.release(lanes); }
    Device& device;
    void* lanes;
  } const memory(device);
  launch("probe", write_lanes, 1, count, 0, device.stream(), static_cast<std::int32_t*>(memory.lanes));
  std::int32_t lanes[count] = {};
  device.read(lanes, memory.lanes, sizeof(lanes));
  for (int i = 0; i < int(count); ++i) {
    if (lanes[i] != i + 1) return false;
  }
  return true;
}

}  // namespace adwp::ADWP_GPU
