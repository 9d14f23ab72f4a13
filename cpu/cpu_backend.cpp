#include "cpu/cpu_backend.h"

#include <fmt/core.h>
#include <omp.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#if defined(__SSE__)
#include <pmmintrin.h>
#include <xmmintrin.h>
#endif

#include "cpu/chain.h"
#include "cpu/cpu_class.h"
#include "cpu/loops.h"
#include "framework/core/error.h"

namespace adwp::cpu {
namespace {

// Denormal numbers cost a hundred cycles each and mean nothing here.
void flush_denormals() {
#if defined(__SSE__)
  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
  _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
#endif
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

}  // namespace

bool has_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

std::unique_ptr<Backend> open_cpu(int threads, Products products) {
  return std::make_unique<CpuBackend>(threads, products);
}

CpuBackend::CpuBackend(int threads, Products products)
    : threads_(take_threads(threads)),
      products_(products),
      convolutions_(std::make_unique<ConvolutionCache>(products)),
      chains_(std::make_unique<FoldedCache>()) {
#pragma omp parallel
  flush_denormals();
}

CpuBackend::~CpuBackend() = default;

std::string CpuBackend::description() const {
  return fmt::format("{}, {} thread{}", identity(), threads_.all(), threads_.all() == 1 ? "" : "s");
}

// Not the number of threads: what is computed does not depend on it.
std::string CpuBackend::identity() const {
  return processor_name() + (products_ == Products::bf16 ? ", products in bf16" : "");
}

void* CpuBackend::do_allocate(std::size_t bytes) {
  constexpr std::size_t page = std::size_t{2} << 20;
  const std::size_t rounded = (bytes + page - 1) / page * page;
  void* pointer = std::aligned_alloc(page, rounded);
  if (pointer == nullptr) {
    fail("cpu", "out of memory, got a request for {} bytes; lower --arena-mb or --batch", bytes);
  }
  madvise(pointer, rounded, MADV_HUGEPAGE);
  return pointer;
}

void CpuBackend::do_release(void* pointer) noexcept { std::free(pointer); }

void CpuBackend::do_write(void* device, const void* host, std::size_t bytes) {
  std::memcpy(device, host, bytes);
}
void CpuBackend::do_read(void* host, const void* device, std::size_t bytes) {
  std::memcpy(host, device, bytes);
}
void CpuBackend::do_copy(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
void CpuBackend::do_fill(void* device, std::uint8_t value, std::size_t bytes) {
  std::memset(device, value, bytes);
}

// Two floats a channel for each part of a reduction.
std::size_t CpuBackend::reduction_workspace(std::int64_t rows, std::int64_t channels) {
  return part_count(rows) * channels * 2 * sizeof(float);
}

}  // namespace adwp::cpu
