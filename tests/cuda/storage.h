// What tests of values in bf16 share: a backend that stores them so, on the devices whose kernels are written
// here.
#pragma once

#include "cuda/cuda_backend.h"
#include "framework/ops/ops.h"
#include "tests/support/device.h"
#include "tests/support/operator_case.h"

namespace adwp::test {

class StorageFixture : public DeviceTest {
 protected:
  void SetUp() override {
    if (GetParam() == "cpu") GTEST_SKIP() << "values are f32 on this device";
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    narrow_ = open({.precision = Precision::bf16});
    narrow_arena_ = std::make_unique<Arena>(*narrow_, std::size_t{64} << 20, Arena::Options{.guard = true});
  }
  static std::unique_ptr<Backend> open(const GpuOptions& options) {
#if defined(ADWP_HAS_CUDA)
    if (GetParam() == "cuda") return cuda::open(options);
#endif
    return emulated::open(options);
  }

  Backend& narrow() { return *narrow_; }
  Arena& memory() { return *narrow_arena_; }
  Tensor f32(const oracle::Array& array) {
    return Tensor::from_host(memory(), array.shape, std::span<const float>(to_floats(array)));
  }
  Tensor bf16(const oracle::Array& array) { return upload_bf16(memory(), array); }

 private:
  std::unique_ptr<Backend> narrow_;
  std::unique_ptr<Arena> narrow_arena_;
};

struct Convolution {
  Conv2d conv;
  Shape x;
  std::int64_t filters;

  Shape w() const { return {filters, conv.kernel, conv.kernel, conv.depthwise ? 1 : x[3]}; }
  Shape y() const { return conv2d_output(conv, x, w()); }
  std::string name() const { return conv2d_text(conv, x, w()); }
};

// Of every kernel, tiles that are whole and ragged; k that is split.
inline std::vector<Convolution> convolutions() {
  std::vector<Convolution> all = {
      {{1, 1, 0, false}, Shape{3, 9, 9, 40}, 72}, {{1, 1, 0, false}, Shape{2, 4, 4, 16}, 66},
      {{3, 1, 1, false}, Shape{3, 9, 9, 16}, 40}, {{3, 2, 1, false}, Shape{2, 9, 9, 8}, 24},
      {{1, 2, 0, false}, Shape{2, 8, 8, 24}, 8},  {{3, 1, 1, false}, Shape{2, 6, 6, 64}, 8},
      {{1, 1, 0, false}, Shape{2, 5, 5, 40}, 16}};  // one step along k: what follows takes the same memory
  for (std::int64_t kernel : {3, 5, 7}) {
    for (std::int64_t stride : {1, 2}) {
      all.push_back({{kernel, stride, kernel / 2, true}, Shape{2, 11, 9, 40}, 40});
    }
  }
  return all;
}

}  // namespace adwp::test
