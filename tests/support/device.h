// Tests that run on every device of the binary: `class X : public DeviceTest`, then TEST_P and
// ADWP_ON_EVERY_DEVICE(X). A device that is not there is a reported skip.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "apps/common/devices.h"
#include "framework/core/random.h"
#include "framework/core/tensor.h"
#include "tests/oracle/oracle.h"

namespace adwp::test {

// Opened once for the whole program.
Backend* open_device(const std::string& name);  // nullptr when it cannot be used here

class DeviceTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;
  // With sentinels behind every tensor: an operator that writes past its output is found.
  Arena& arena() { return *arena_; }
  Backend& backend() { return *backend_; }

  // Is this a device on which training takes minutes, every thread a fiber?
  bool too_slow() const { return GetParam() == "emulated"; }
  // Is this the device cuda without a GPU (tests/cuda/ptx)? Whole trainings are smaller there.
  bool executes_ptx() const;

  Tensor upload(const oracle::Array& array);
  Tensor upload(Shape shape, const std::vector<std::int32_t>& values);

 private:
  Backend* backend_ = nullptr;
  std::unique_ptr<Arena> arena_;
};

#define ADWP_SKIP_WHERE_SLOW() \
  if (too_slow()) GTEST_SKIP() << "training takes minutes on this device"

#define ADWP_ON_EVERY_DEVICE(suite)                                                             \
  INSTANTIATE_TEST_SUITE_P(Device, suite, ::testing::ValuesIn(::adwp::apps::devices().names()), \
                           [](const auto& device) { return device.param; })

// Uniform in [low, high), rounded to f32 so that device and oracle read the same numbers.
oracle::Array random_array(Shape shape, std::uint64_t stream, double low = -1, double high = 1);
oracle::Array to_array(const Tensor& tensor);  // of f32 or bf16
oracle::Array rounded(oracle::Array array);    // to bf16, halves to even
Tensor upload_bf16(Arena& arena, const oracle::Array& array);
std::vector<float> to_floats(const oracle::Array& array);

// Normalised mean square error sum (a - b)^2 / sum b^2, with b what is expected; 0 when both are
// empty or zero. Infinite when `a` holds a NaN or an infinity.
double nmse(const oracle::Array& found, const oracle::Array& expected);

}  // namespace adwp::test
