// Kernels of the CUDA runtime's stand-in: how nvcc's code registers and launches them.
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "tests/cuda/ptx/fat_binary.h"
#include "tests/cuda/ptx/runtime.h"

namespace adwp::executor {
namespace {

// Throws std::runtime_error.
const Kernel& kernel_of(const Runtime::Function& function) {
  Runtime& r = runtime();
  r.modules.resize(r.texts.size());
  Module& module = r.modules[function.module];
  if (module.empty()) {
    const auto& texts = r.texts[function.module];
    if (texts.empty()) throw std::runtime_error("no PTX in the program");
    const auto chosen = r.architecture == 0 ? std::prev(texts.end()) : texts.find(r.architecture);
    if (chosen == texts.end()) throw std::runtime_error("no PTX for sm_" + std::to_string(r.architecture));
    module = parse(chosen->second);
  }
  const auto found = module.find(function.name);
  if (found == module.end()) throw std::runtime_error("no kernel " + function.name);
  return *found->second;
}

// The limits of all devices from compute capability 8.0 on.
cudaError_t check_configuration(const Kernel& kernel, dim3 grid, dim3 block, std::size_t shared) {
  constexpr std::uint64_t most_threads = 1024, most_blocks_across = 0x7FFFFFFF, most_blocks = 65535;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  const bool grid_fits = grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x <= most_blocks_across &&
                         grid.y <= most_blocks && grid.z <= most_blocks;
  if (!grid_fits || threads == 0 || threads > most_threads || block.z > 64) {
    std::fprintf(stderr, "ptx: %s: grid %u x %u x %u\n", kernel.name.c_str(), grid.x, grid.y, grid.z);
    return cudaErrorInvalidConfiguration;
  }
  if (kernel.shared_bytes + shared > 48 * 1024) return cudaErrorInvalidValue;
  return threads > kernel.most_threads ? cudaErrorLaunchOutOfResources : cudaSuccess;
}

// What a block does more when it is the last.
Counts tail_of(const Launch& work) {
  Options options = runtime().options;
  options.sample = 1;
  const auto counted = [&](bool last) {
    options.last = last;
    const Counts before = counts_of(*work.kernel);
    run(work, runtime().device_memory, options);
    return counts_of(*work.kernel).since(before);
  };
  const Counts others = counted(false);
  return counted(true).since(others);
}

void run_and_tell(const Launch& work) {
  const Runtime& r = runtime();
  if (!r.tell) {
    run(work, r.device_memory, r.options);
    return;
  }
  const Counts before = counts_of(*work.kernel);
  const Ran ran = run(work, r.device_memory, r.options);
  const auto blocks = static_cast<double>(std::uint64_t{work.grid.x} * work.grid.y * work.grid.z);
  Done done{.kernel = work.kernel,
            .grid = work.grid,
            .block = work.block,
            .dynamic_shared_bytes = work.dynamic_shared_bytes,
            .scale = blocks / static_cast<double>(ran.blocks),
            .counts = counts_of(*work.kernel).since(before),
            .block_sectors = ran.block_sectors};
  if (ran.sharing > 0) {
    done.tail = tail_of(work);
    done.tails = blocks / static_cast<double>(ran.sharing);
  }
  r.tell(done);
}

cudaError_t launch(const Runtime::Function& function, dim3 grid, dim3 block, void** arguments,
                   std::size_t shared, cudaStream_t stream) {
  const Kernel& kernel = kernel_of(function);
  const cudaError_t status = check_configuration(kernel, grid, block, shared);
  if (status != cudaSuccess) return noted(status);
  Launch work{&kernel,
              {grid.x, grid.y, grid.z},
              {block.x, block.y, block.z},
              std::vector<unsigned char>(kernel.parameter_bytes),
              static_cast<std::uint32_t>(shared)};
  for (std::size_t i = 0; i < kernel.parameters.size(); ++i) {
    const auto& [offset, bytes] = kernel.parameters[i];
    std::memcpy(work.parameters.data() + offset, arguments[i], bytes);
  }
  return enqueue(stream, [work = std::move(work)] { run_and_tell(work); });
}

struct FatBinaryWrapper {  // what nvcc's code hands over
  int magic, version;
  const void* data;
  void* file_name;
};

}  // namespace
}  // namespace adwp::executor

using namespace adwp::executor;

extern "C" {

void** __cudaRegisterFatBinary(void* wrapper) {
  Runtime& r = runtime();
  r.texts.push_back(ptx_of(static_cast<FatBinaryWrapper*>(wrapper)->data));
  return reinterpret_cast<void**>(r.texts.size());  // the handle: its number, from 1
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }

void __cudaRegisterFunction(void** handle, const char* stub, char*, const char* name, int, void*, void*,
                            void*, void*, int*) {
  runtime().functions[stub] = {reinterpret_cast<std::size_t>(handle) - 1, name};
}

cudaError_t __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream) {
  runtime().configurations.push_back({grid, block, shared, stream});
  return cudaSuccess;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
  const Runtime::Configuration c = runtime().configurations.back();
  runtime().configurations.pop_back();
  *grid = c.grid;
  *block = c.block;
  *shared = c.shared;
  *static_cast<cudaStream_t*>(stream) = c.stream;
  return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* stub) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(stub));
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                               std::size_t shared, cudaStream_t stream) {
  if (const cudaError_t status = begin_call("a launch", InCapture::allowed); status != cudaSuccess)
    return status;
  const auto found = runtime().functions.find(reinterpret_cast<const void*>(kernel));
  if (found == runtime().functions.end()) return noted(cudaErrorInvalidDeviceFunction);
  try {
    return launch(found->second, grid, block, arguments, shared, stream);
  } catch (const std::runtime_error& error) {  // of the parser
    std::fprintf(stderr, "ptx: %s\n", error.what());
    return noted(cudaErrorNoKernelImageForDevice);
  }
}

cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) {
  return begin_call("cudaFuncSetAttribute", InCapture::allowed);
}

}  // extern "C"
