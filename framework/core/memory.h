// What the arena needs of a device: raw memory, copies and a wait.
#pragma once

#include <cstddef>
#include <cstdint>

namespace adwp {

// How often a device was asked for what evaluation must not ask for; a test reads these.
struct MemoryCounters {
  std::int64_t allocations = 0;  // calls of allocate
  std::int64_t host_reads = 0;   // copies from the device to the host
  std::int64_t host_writes = 0;  // copies from the host to the device
};

// Memory of one device. Copies and fills are ordered with the device's computations (one stream);
// `read` returns when the bytes have arrived, the others may return earlier. Sizes in bytes.
class Memory {
 public:
  virtual ~Memory() = default;

  // At least 256-byte aligned. Throws Error when the device has too little.
  void* allocate(std::size_t bytes);
  void release(void* pointer) noexcept { do_release(pointer); }
  void write(void* device, const void* host, std::size_t bytes);  // host may be reused at once
  void read(void* host, const void* device, std::size_t bytes);
  void copy(void* to, const void* from, std::size_t bytes);  // both on the device, disjoint
  void fill(void* device, std::uint8_t value, std::size_t bytes);

  const MemoryCounters& counters() const { return counters_; }

 private:
  virtual void* do_allocate(std::size_t bytes) = 0;
  virtual void do_release(void* pointer) noexcept = 0;
  virtual void do_write(void* device, const void* host, std::size_t bytes) = 0;
  virtual void do_read(void* host, const void* device, std::size_t bytes) = 0;
  virtual void do_copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual void do_fill(void* device, std::uint8_t value, std::size_t bytes) = 0;

  MemoryCounters counters_;
};

}  // namespace adwp
