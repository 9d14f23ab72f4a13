// Faults that no schedule shows by itself, because every stretch between two waits runs undisturbed, but
// a sanitizer sees. planted_faults.sh builds this under each sanitizer, runs one fault at a time and
// expects the report.
#include <cstdio>
#include <cstring>
#include <memory>

#include "cuda/emulation/ptx.h"
#include "cuda/runtime/launch.cuh"

namespace {

bool is(const char* a, const char* b) { return std::strcmp(a, b) == 0; }

__global__ void sum_shared(float* out, bool atomic) {
  SHARED(float, sums, [4]);
  if (threadIdx.x < 4) sums[threadIdx.x] = 0;
  __syncthreads();
  if (atomic) {
    __atomic_fetch_add(reinterpret_cast<int*>(&sums[threadIdx.x % 4]), 1, __ATOMIC_RELAXED);
  } else {
    sums[threadIdx.x % 4] += 1;  // 64 threads, 4 places
  }
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = sums[0];
}

__global__ void sum_global(float* out) {
  if (threadIdx.x == 0) out[0] += 1;  // every block
}

// Every block writes, the last one adds; floats behind the first 32 are the blocks'.
__global__ void sum_in_last(float* out, unsigned* ticket) {
  SHARED(unsigned, taken, [1]);
  out[32 + blockIdx.x * 8 + threadIdx.x] = 1;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) taken[0] = atomicInc(ticket, gridDim.x - 1);
  __syncthreads();
  if (taken[0] != gridDim.x - 1) return;
  __threadfence();
  for (unsigned block = 0; block < gridDim.x; ++block) out[threadIdx.x] += out[32 + block * 8 + threadIdx.x];
}

__global__ void exchange(float* out, bool wait) {
  SHARED(float, values, [64]);
  values[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (wait) __syncwarp();
  out[threadIdx.x] = values[threadIdx.x ^ 1];
}

__global__ void missing_barrier(float* out, bool wait) {
  SHARED(float, values, [64]);
  values[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (wait) __syncthreads();
  out[threadIdx.x] = values[63 - threadIdx.x];
}

__global__ void past_shared(float* out, int offset) {
  SHARED(float, values, [32]);
  SHARED(float, others, [32]);
  values[threadIdx.x] = others[threadIdx.x] = 1;
  __syncthreads();
  const float* unbounded = values;  // of the array itself UBSan knows the bounds
  out[threadIdx.x] = unbounded[static_cast<int>(threadIdx.x) + offset];
}

__global__ void past_dynamic(float* out, int offset) {
  DYN_SHARED(float, values);
  values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[static_cast<int>(threadIdx.x) + offset];
}

__global__ void past_global(float* out, int offset) { out[static_cast<int>(threadIdx.x) + offset] = 1; }

__global__ void misaligned(float* out, int offset) {
  reinterpret_cast<float4*>(out + offset)[threadIdx.x] = make_float4(1, 2, 3, 4);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const char* fault = argv[1];
  adwp::emulation::options().seed = 1;
  adwp::emulation::options().workers = 2;
  const std::unique_ptr<float[]> memory(new float[256]());
  float* out = memory.get();
  auto go = [&](const char* name, auto* kernel, unsigned blocks, unsigned threads, std::size_t shared,
                auto... arguments) {
    launch(name, kernel, blocks, threads, shared, nullptr, out, arguments...);
  };
  if (is(fault, "none")) {
    go("sum_shared", sum_shared, 8, 64, 0, true);
    go("exchange", exchange, 1, 64, 0, true);
    unsigned ticket = 0;
    for (int i = 0; i < 20; ++i) go("sum_in_last", sum_in_last, 16, 8, 0, &ticket);
    go("missing_barrier", missing_barrier, 1, 64, 0, true);
    go("past_shared", past_shared, 1, 32, 0, 0);
    go("past_dynamic", past_dynamic, 1, 32, 32 * sizeof(float), 0);
    go("past_global", past_global, 1, 32, 0, 224);
  } else if (is(fault, "shared_race")) {
    go("sum_shared", sum_shared, 1, 64, 0, false);
  } else if (is(fault, "global_race")) {
    go("sum_global", sum_global, 64, 32, 0);
  } else if (is(fault, "missing_syncwarp")) {
    go("exchange", exchange, 1, 64, 0, false);
  } else if (is(fault, "missing_barrier")) {
    go("missing_barrier", missing_barrier, 1, 64, 0, false);
  } else if (is(fault, "past_shared")) {
    go("past_shared", past_shared, 1, 32, 0, 1);
  } else if (is(fault, "past_dynamic")) {
    go("past_dynamic", past_dynamic, 1, 32, 32 * sizeof(float), 1);
  } else if (is(fault, "past_global")) {
    go("past_global", past_global, 1, 32, 0, 225);
  } else if (is(fault, "misaligned")) {
    go("misaligned", misaligned, 1, 4, 0, 1);
  } else {
    return 2;
  }
  std::puts("done");
  return 0;
}
