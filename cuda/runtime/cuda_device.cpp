// A CUDA GPU: the current device, one stream, checked calls.
#include <cuda_runtime.h>
#include <fmt/format.h>

#include <cstring>

#include "cuda/runtime/device.h"
#include "framework/core/error.h"

namespace adwp::cuda {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  const char* hint = "";
  if (status == cudaErrorMemoryAllocation) hint = "; lower --arena-mb or --batch";
  if (status == cudaErrorNoKernelImageForDevice) {
    hint = "; this binary was not built for this GPU: add its architecture to -DCMAKE_CUDA_ARCHITECTURES";
  }
  if (status == cudaErrorInsufficientDriver) hint = "; the driver is older than the CUDA runtime: update it";
  fail("cuda", "{}: {}{}", what, cudaGetErrorString(status), hint);
}

}  // namespace adwp::cuda

namespace adwp::ADWP_GPU {

Device::Device() {
  int count = 0;
  check(cudaGetDeviceCount(&count), "looking for a GPU");
  if (count == 0) fail("cuda", "no GPU found; use --device cpu or --device emulated");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
  stream_ = stream;
}
Device::~Device() { cudaStreamDestroy(static_cast<cudaStream_t>(stream_)); }

std::string Device::description() const {
  int device = 0, driver = 0;
  cudaDeviceProp properties{};
  check(cudaGetDevice(&device), "device");
  check(cudaGetDeviceProperties(&properties, device), "device properties");
  check(cudaDriverGetVersion(&driver), "driver version");
  return fmt::format("{}, compute capability {}.{}, CUDA driver {}.{}", properties.name, properties.major,
                     properties.minor, driver / 1000, driver % 1000 / 10);
}

void Device::synchronize() { check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream_)), "kernels"); }

void* Device::allocate(std::size_t bytes) {
  void* pointer = nullptr;
  check(cudaMalloc(&pointer, bytes), fmt::format("taking {} bytes of device memory", bytes).c_str());
  return pointer;
}
void Device::release(void* pointer) noexcept { cudaFree(pointer); }

// From pageable memory the runtime has copied `host` away when this returns.
void Device::write(void* device, const void* host, std::size_t bytes) {
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, static_cast<cudaStream_t>(stream_)),
        "copy to the device");
}
void Device::read(void* host, const void* device, std::size_t bytes) {
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, static_cast<cudaStream_t>(stream_)),
        "copy to the host");
  synchronize();
}
void Device::copy(void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(stream_)),
        "copy on the device");
}
void Device::fill(void* device, std::uint8_t value, std::size_t bytes) {
  check(cudaMemsetAsync(device, value, bytes, static_cast<cudaStream_t>(stream_)), "fill");
}

bool device_usable() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

}  // namespace adwp::ADWP_GPU
