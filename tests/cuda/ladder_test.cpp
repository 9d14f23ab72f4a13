// The lower steps of the ladder against the fast kernels, which are themselves held to the oracle.
#include <array>

#include "cuda/cuda_backend.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

struct Case {
  Conv2d conv;
  std::int64_t size, channels, filters;
};

struct Step {
  std::string device;
  KernelLevel level;
};

std::unique_ptr<Backend> open(const std::string& device, KernelLevel level) {
#if defined(ADWP_HAS_CUDA)
  if (device == "cuda") return cuda::open({.level = level});
#endif
  return emulated::open({.level = level});
}

// y, dx, dw and a product of each case, one after another.
std::vector<oracle::Array> results(const Step& step, const std::vector<Case>& cases) {
  const auto backend = open(step.device, step.level);
  Arena arena(*backend, std::size_t{32} << 20);
  std::vector<oracle::Array> all;
  auto upload = [&](Shape shape, std::uint64_t stream) {
    return Tensor::from_host(arena, shape, std::span<const float>(to_floats(random_array(shape, stream))));
  };
  for (const auto& [conv, size, channels, filters] : cases) {
    const std::int64_t out = conv.out_size(size);
    const Tensor x = upload(Shape{2, size, size, channels}, 61);
    const Tensor w = upload(Shape{filters, conv.kernel, conv.kernel, conv.depthwise ? 1 : channels}, 62);
    const Tensor dy = upload(Shape{2, out, out, filters}, 63);
    const Tensor y(arena, dy.shape()), dx(arena, x.shape()), dw = upload(w.shape(), 64);
    backend->compute(ConvForward{conv, x, w, y});
    backend->compute(ConvDgrad{conv, dy, w, {dx}});
    backend->compute(ConvWgrad{conv, x, dy, {dw, GradMode::accumulate}});
    for (const Tensor& tensor : {y, dx, dw}) all.push_back(to_array(tensor));
  }
  const Tensor a = upload(Shape{70, 130}, 65), b = upload(Shape{33, 130}, 66), bias = upload(Shape{33}, 67);
  const Tensor c(arena, Shape{70, 33});
  backend->compute(
      Gemm{.transpose_b = true, .a = a, .b = b, .bias = bias, .act = Activation::relu, .c = {c}});
  all.push_back(to_array(c));
  return all;
}

class Ladder : public testing::TestWithParam<Step> {};

TEST_P(Ladder, EveryStepComputesTheSame) {
  if (open_device(GetParam().device) == nullptr)
    GTEST_SKIP() << "device " << GetParam().device << " is not here";
  std::vector<Case> cases = {
      {{3, 1, 1, false}, 7, 8, 24}, {{3, 2, 1, false}, 8, 3, 16}, {{1, 1, 0, false}, 5, 40, 12}};
  for (std::int64_t kernel : {3, 5, 7}) {
    for (std::int64_t stride : {1, 2}) cases.push_back({{kernel, stride, kernel / 2, true}, 9, 40, 40});
  }
  const std::vector<oracle::Array> fast = results({GetParam().device, KernelLevel::fast}, cases),
                                   step = results(GetParam(), cases);
  ASSERT_EQ(fast.size(), step.size());
  for (std::size_t i = 0; i < fast.size(); ++i) EXPECT_LT(nmse(step[i], fast[i]), 1e-11) << "result " << i;
}

std::vector<Step> steps() {
  std::vector<Step> all;
  for (const std::string& device : apps::devices().names()) {
    if (device == "cpu") continue;
    for (const KernelLevel level : {KernelLevel::naive, KernelLevel::tiled}) all.push_back({device, level});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Device, Ladder, testing::ValuesIn(steps()), [](const auto& step) {
  return step.param.device + (step.param.level == KernelLevel::naive ? "_naive" : "_tiled");
});

}  // namespace
}  // namespace adwp::test
