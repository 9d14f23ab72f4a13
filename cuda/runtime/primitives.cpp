#include "cuda/runtime/primitives.h"

#include <memory>

#include "cuda/kernels/fragments.h"
#include "cuda/runtime/device.h"

namespace adwp::ADWP_GPU {
namespace {

// A copy of a host array on the device, for the time of one call.
template <typename T>
class OnDevice {
 public:
  OnDevice(Device& device, const T* host, std::size_t count)
      : device_(device), bytes_(count * sizeof(T)), data_(static_cast<T*>(device.allocate(bytes_))) {
    device_.write(data_, host, bytes_);
  }
  ~OnDevice() { device_.release(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* data() const { return data_; }
  void read(T* host) const { device_.read(host, data_, bytes_); }

 private:
  Device& device_;
  std::size_t bytes_;
  T* data_;
};

using Product = void (*)(Stream, const float*, const float*, float*);

auto product(const std::shared_ptr<Device>& device, Product kernel, std::size_t depth) {
  return [device, kernel, depth](const float* a, const float* b, float* c) {
    const OnDevice x(*device, a, 16 * depth), y(*device, b, depth * 8);
    const OnDevice z(*device, c, 128);
    kernel(device->stream(), x.data(), y.data(), z.data());
    z.read(c);
  };
}

}  // namespace

Primitives primitives() {
  const auto device = std::make_shared<Device>();
  return {.mma_tf32 = product(device, kernels::mma_tf32_tile, 8),
          .mma_bf16 = product(device, kernels::mma_bf16_tile, 16),
          .ldmatrix =
              [device](bool transposed, const std::uint16_t* from, std::uint32_t* to) {
                const OnDevice rows(*device, from, 256);
                const OnDevice lanes(*device, to, 128);
                kernels::ldmatrix_tile(device->stream(), transposed, rows.data(), lanes.data());
                lanes.read(to);
              },
          .copy =
              [device](const float* x, const std::int32_t* valid, float* y16, float* y4) {
                const OnDevice from(*device, x, 256);
                const OnDevice flags(*device, valid, 64);
                const OnDevice wide(*device, y16, 256), narrow(*device, y4, 256);
                kernels::copy_tile(device->stream(), from.data(), flags.data(), wide.data(), narrow.data());
                wide.read(y16);
                narrow.read(y4);
              }};
}

}  // namespace adwp::ADWP_GPU
