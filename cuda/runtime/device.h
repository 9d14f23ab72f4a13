// What a GPU backend needs of its device besides kernels: memory, copies, one stream. Two of them exist,
// CUDA's (cuda_device.cpp) and the emulated one (emulated_device.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "cuda/runtime/stream.h"

namespace adwp::ADWP_GPU {

class Device {
 public:
  Device();
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  std::string description() const;
  Stream stream() const { return stream_; }
  void synchronize();

  // At least 256-byte aligned; throws Error when there is too little.
  void* allocate(std::size_t bytes);
  void release(void* pointer) noexcept;
  void write(void* device, const void* host, std::size_t bytes);
  void read(void* host, const void* device, std::size_t bytes);
  void copy(void* to, const void* from, std::size_t bytes);
  void fill(void* device, std::uint8_t value, std::size_t bytes);

 private:
  Stream stream_ = nullptr;
};

// Is there a device that this binary can use?
bool device_usable();

}  // namespace adwp::ADWP_GPU
