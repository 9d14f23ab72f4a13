// Memory of the host as an arena's device: what checkpoints need and no more.
#pragma once

#include <cstdlib>
#include <cstring>

#include "framework/core/arena.h"

namespace adwp::fuzz {

class HostMemory : public Memory {
  void* do_allocate(std::size_t bytes) override { return std::aligned_alloc(256, (bytes + 255) / 256 * 256); }
  void do_release(void* pointer) noexcept override { std::free(pointer); }
  void do_write(void* device, const void* host, std::size_t bytes) override {
    std::memcpy(device, host, bytes);
  }
  void do_read(void* host, const void* device, std::size_t bytes) override {
    std::memcpy(host, device, bytes);
  }
  void do_copy(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void do_fill(void* device, std::uint8_t value, std::size_t bytes) override {
    std::memset(device, value, bytes);
  }
};

}  // namespace adwp::fuzz
