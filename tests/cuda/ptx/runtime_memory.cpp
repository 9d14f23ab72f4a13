// Memory of the CUDA runtime's stand-in: allocations, copies, fills.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/cuda/ptx/runtime.h"

using namespace adwp::executor;

namespace {

constexpr std::size_t device_bytes = std::size_t{16} << 30;  // that the device claims to have

std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

std::size_t allocated() {
  std::size_t sum = 0;
  for (const auto& [begin, end] : runtime().device_memory) sum += end - begin;
  return sum;
}

cudaError_t free_from(Regions& regions, void* pointer, const char* name) {
  if (const cudaError_t status = begin_call(name, InCapture::refused); status != cudaSuccess) return status;
  if (pointer == nullptr) return cudaSuccess;
  const cudaError_t status = drain_all();  // what still uses it
  if (regions.erase(address_of(pointer)) == 0) return noted(cudaErrorInvalidValue);
  std::free(pointer);
  return status;
}

// Pageable memory is taken at the call.
cudaError_t copy_to_device(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
  Runtime& r = runtime();
  if (inside(r.locked_memory, from, bytes)) {
    return enqueue(stream, on_memory(
                               bytes, [=] { std::memcpy(to, from, bytes); }, true));
  }
  if (r.recording != nullptr && stream == r.recording_stream) {  // a graph would read it when it runs
    std::fprintf(stderr, "ptx: a copy of pageable memory during a capture\n");
    r.spoiled = true;
    return noted(cudaErrorStreamCaptureUnsupported);
  }
  const auto* first = static_cast<const unsigned char*>(from);
  const auto copy = [to, kept = std::vector<unsigned char>(first, first + bytes)] {
    std::memcpy(to, kept.data(), kept.size());
  };
  return enqueue(stream, on_memory(bytes, copy, true));
}

// Into pageable memory the copy is done when the call returns.
cudaError_t copy_to_host(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
  const bool locked = inside(runtime().locked_memory, to, bytes);
  if (!locked) {
    const cudaError_t status = begin_call("a copy to pageable memory", InCapture::refused);
    if (status != cudaSuccess) return status;
  }
  const cudaError_t status = enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return locked || status != cudaSuccess ? status : drain(stream);
}

}  // namespace

extern "C" {

// What is allocated holds NaN.
cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  *pointer = nullptr;
  if (const cudaError_t status = begin_call("cudaMalloc", InCapture::refused); status != cudaSuccess)
    return status;
  if (bytes == 0) return cudaSuccess;
  if (bytes > device_bytes || allocated() + bytes > device_bytes) return noted(cudaErrorMemoryAllocation);
  void* made = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (made == nullptr) return noted(cudaErrorMemoryAllocation);
  if (runtime().options.sample == 0) std::memset(made, 0xFF, bytes);  // else most pages are never touched
  runtime().device_memory[address_of(made)] = address_of(made) + bytes;
  *pointer = made;
  return cudaSuccess;
}
cudaError_t cudaFree(void* pointer) { return free_from(runtime().device_memory, pointer, "cudaFree"); }

cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  if (const cudaError_t status = begin_call("cudaMallocHost", InCapture::refused); status != cudaSuccess) {
    return status;
  }
  *pointer = std::malloc(bytes);
  if (*pointer == nullptr) return noted(cudaErrorMemoryAllocation);
  runtime().locked_memory[address_of(*pointer)] = address_of(*pointer) + bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* pointer) {
  return free_from(runtime().locked_memory, pointer, "cudaFreeHost");
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (const cudaError_t status = begin_call("cudaMemcpyAsync", InCapture::allowed); status != cudaSuccess) {
    return status;
  }
  if (bytes == 0) return cudaSuccess;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const Regions& memory = runtime().device_memory;
  if (to_device != inside(memory, to, bytes) || from_device != inside(memory, from, bytes)) {
    std::fprintf(stderr, "ptx: a copy outside of device memory, or of the wrong kind\n");
    return noted(cudaErrorInvalidValue);
  }
  if (kind == cudaMemcpyHostToDevice) return copy_to_device(to, from, bytes, stream);
  if (kind == cudaMemcpyDeviceToHost) return copy_to_host(to, from, bytes, stream);
  return enqueue(stream, on_memory(bytes, [=] { std::memmove(to, from, bytes); }));
}

cudaError_t cudaMemsetAsync(void* pointer, int value, std::size_t bytes, cudaStream_t stream) {
  if (const cudaError_t status = begin_call("cudaMemsetAsync", InCapture::allowed); status != cudaSuccess) {
    return status;
  }
  if (bytes == 0) return cudaSuccess;
  if (!inside(runtime().device_memory, pointer, bytes)) return noted(cudaErrorInvalidValue);
  return enqueue(stream, on_memory(bytes, [=] { std::memset(pointer, value, bytes); }));
}

}  // extern "C"
