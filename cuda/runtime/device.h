// What a GPU backend needs of its device besides kernels: memory, copies, one stream. Two of them exist,
// CUDA's (cuda_device.cpp) and the emulated one (emulated_device.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "framework/backend/replay.h"

namespace adwp::ADWP_GPU {

class Device {
 public:
  Device();
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  std::string description() const;
  void* stream() const { return stream_; }  // a cudaStream_t, without CUDA's headers
  void synchronize();

  // As Backend has them.
  double seconds(const std::function<void()>& work);
  std::unique_ptr<Graph> capture(const std::function<void()>& work);
  bool capturing() const { return capturing_; }

  // At least 256-byte aligned; throws Error when there is too little.
  void* allocate(std::size_t bytes);
  void release(void* pointer) noexcept;
  void write(void* device, const void* host, std::size_t bytes);
  void read(void* host, const void* device, std::size_t bytes);
  void copy(void* to, const void* from, std::size_t bytes);
  void fill(void* device, std::uint8_t value, std::size_t bytes);

 private:
  void refuse_in_capture(const char* what) const;  // throws Error while work is recorded

  void* stream_ = nullptr;
  void* staging_ = nullptr;  // page-locked host memory
  std::size_t staged_ = 0;   // bytes of it that copies under way may still read
  bool capturing_ = false;
};

// Runs a kernel (cuda/kernels/probe.cu): has it written what it should? Throws Error where it cannot run.
bool probe(Device& device);

}  // namespace adwp::ADWP_GPU
