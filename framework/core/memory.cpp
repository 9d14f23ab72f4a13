#include "framework/core/memory.h"

namespace adwp {

void* Memory::allocate(std::size_t bytes) {
  ++counters_.allocations;
  return do_allocate(bytes);
}

void Memory::write(void* device, const void* host, std::size_t bytes) {
  if (bytes == 0) return;
  ++counters_.host_writes;
  do_write(device, host, bytes);
}

void Memory::read(void* host, const void* device, std::size_t bytes) {
  if (bytes == 0) return;
  ++counters_.host_reads;
  do_read(host, device, bytes);
}

void Memory::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes != 0) do_copy(to, from, bytes);
}

void Memory::fill(void* device, std::uint8_t value, std::size_t bytes) {
  if (bytes != 0) do_fill(device, value, bytes);
}

}  // namespace adwp
