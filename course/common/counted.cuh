// Arrays that kernels of the course use: plain pointers under nvcc; in the emulation each access is held to
// the array's bounds and counted (counters.h).
//
//   __global__ void twice(Global<const float> x, Global<float> y, int n) {
//     const int i = blockIdx.x * blockDim.x + threadIdx.x;
//     if (i < n) y[i] = 2 * x[i];
//   }
//
// Inside a kernel, SHARED_ARRAY(tile, 256) declares 256 floats of shared memory with the same checks.
#pragma once

#include "cuda/kernels/port.cuh"

#if defined(__CUDACC__)

template <typename T>
using Global = T*;
#define SHARED_ARRAY(name, size) SHARED(float, name, [size])

#else

#include <source_location>
#include <string>

#include "course/common/counters.h"

namespace adwp::course {

// An index that knows where in the source it stands.
struct Index {
  std::int64_t value;
  std::source_location where;
  template <typename Integer>
  Index(Integer index, std::source_location here = std::source_location::current())
      : value(static_cast<std::int64_t>(index)), where(here) {}
};

template <typename T, Space space>
class CheckedArray {
 public:
  CheckedArray(T* data, std::int64_t size, const char* name) : data_(data), size_(size), name_(name) {}

  T& operator[](Index index) const {
    if (index.value < 0 || index.value >= size_) {
      emulation::fault(("index " + std::to_string(index.value) + " of " + name_ + ", which has " +
                        std::to_string(size_) + " elements")
                           .c_str(),
                       index.where);
    }
    note_access(space, name_, index.value * sizeof(T), sizeof(T), index.where);
    return data_[index.value];
  }
  std::int64_t size() const { return size_; }

 private:
  T* data_;
  std::int64_t size_;
  const char* name_;  // for messages
};

}  // namespace adwp::course

template <typename T>
using Global = adwp::course::CheckedArray<T, adwp::course::Space::global>;

#define SHARED_ARRAY(name, size)        \
  SHARED(float, name##_memory, [size]); \
  const adwp::course::CheckedArray<float, adwp::course::Space::shared> name(name##_memory, size, #name)

#endif
