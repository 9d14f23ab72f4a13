// What stands behind the CUDA runtime's functions when there is no GPU: programs that nvcc built run the PTX
// that is in them. Linked before libcudart_static.a, the functions of runtime_*.cpp take the place of
// NVIDIA's.
//
// Work on a stream is kept and done when something waits for that stream, as late as CUDA allows: page-locked
// host memory is read then, pageable memory at the call. Streams are independent of each other. A call that
// is illegal while a stream is captured fails as CUDA's does and spoils the capture. After a kernel's fault
// every call fails with it.
//
//   ADWPNAS_PTX_ARCH=80|90  which of the program's PTX is run; the newest there is, unless given
//   ADWPNAS_PTX_SEED=N      the order of warps; 0: ascending, each as far as it can go
//   ADWPNAS_PTX_RACES=0     do not watch shared memory for races
//   ADWPNAS_PTX_SUMS=truncated  sums of mma as tensor cores are reported to make them
//   ADWPNAS_PTX_REPORT=FILE instructions, bank rounds and sectors of every kernel that ran, at exit
//   ADWPNAS_PTX_SAMPLE=N    only N blocks of each launch run, spread over its grid: results are worth
//   nothing,
//                           counts stand for the whole (kernel_counts.cpp)
#pragma once

#include <cuda_runtime_api.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/cuda/ptx/counts.h"

namespace adwp::executor {

using Work = std::function<void()>;

struct Runtime {
  struct Function {
    std::size_t module = 0;
    std::string name;
  };
  struct Configuration {  // of the launch under way
    dim3 grid, block;
    std::size_t shared = 0;
    cudaStream_t stream = nullptr;
  };

  Runtime();
  ~Runtime();  // writes the report

  Options options;
  std::uint32_t architecture = 0;  // 0: the newest
  std::string report;
  Tell tell;  // of every launch, copy and fill when it is done; may be empty

  std::vector<std::map<std::uint32_t, std::string>> texts;  // of each module, by architecture
  std::vector<Module> modules;                // parsed when the first of their kernels is launched
  std::map<const void*, Function> functions;  // by the address of their stubs on the host
  std::vector<Configuration> configurations;

  Regions device_memory, locked_memory;
  std::map<cudaStream_t, std::deque<Work>> streams;
  cudaStream_t recording_stream = nullptr;
  std::unique_ptr<std::vector<Work>> recording;  // of the capture under way
  bool spoiled = false;
  cudaError_t last = cudaSuccess;    // that cudaGetLastError tells
  cudaError_t sticky = cudaSuccess;  // of a kernel: nothing works after it
};

Runtime& runtime();

// Notes the error, if it is one, for cudaGetLastError.
cudaError_t noted(cudaError_t status);

// Every call begins with this: the sticky error, or the one for a call that a capture does not allow.
enum class InCapture { allowed, refused };
cudaError_t begin_call(const char* name, InCapture rule);

cudaError_t enqueue(cudaStream_t stream, Work work);
cudaError_t drain(cudaStream_t stream);
cudaError_t drain_all();

// Does `work`, which is not a launch, and tells of it.
Work on_memory(std::uint64_t bytes, Work work, bool from_host = false);

bool inside(const Regions& regions, const void* pointer, std::size_t bytes);

}  // namespace adwp::executor
