// What the device cuda does after a call that failed.
#if defined(ADWP_HAS_CUDA)

#include "cuda/cuda_backend.h"
#include "framework/core/error.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

// The runtime keeps the last error until it is asked for; a launch asks.
TEST(AfterFailure, AnAllocationThatFailedIsNoFaultOfTheNextKernel) {
  const std::string obstacle = cuda::obstacle();
  if (!obstacle.empty()) GTEST_SKIP() << obstacle;
  const auto backend = cuda::open();
  EXPECT_THROW(Arena(*backend, std::size_t{1} << 50), Error);
  Arena arena(*backend, std::size_t{1} << 16);
  const Tensor x = Tensor::from_host(arena, Shape{2}, std::span<const float>(std::vector<float>{1, 2}));
  EXPECT_NO_THROW(backend->compute(Add{x, x, x}));
  EXPECT_EQ(x.to_host<float>(), (std::vector<float>{2, 4}));
}

}  // namespace
}  // namespace adwp::test

#endif
