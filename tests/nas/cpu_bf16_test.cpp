// Products in bf16 on the device cpu: those of operands that are rounded, summed in f32; and a training's
// losses.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "framework/core/error.h"
#include "nas/space/search_space.h"
#include "nas/training/network_trainer.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

using oracle::Array;

// nullptr where the processor has no such products.
std::unique_ptr<Backend> narrow_device() {
  try {
    return apps::devices(1, "bf16").open("cpu");
  } catch (const Error&) {
    return nullptr;
  }
}

class CpuBf16 : public testing::Test {
 protected:
  void SetUp() override {
    if (device_ == nullptr) GTEST_SKIP() << "no products in bf16 on this processor";
    exact_ = apps::devices(1).open("cpu");
  }
  // Results of the three passes on a device.
  struct Passes {
    Array forward, dgrad, wgrad;
  };
  static Passes passes(Backend& device, const Conv2d& conv, const Array& x, const Array& w, const Array& dy) {
    Arena arena(device, std::size_t{64} << 20, Arena::Options{.guard = true});
    const auto upload = [&](const Array& array) {
      return Tensor::from_host(arena, array.shape, std::span<const float>(to_floats(array)));
    };
    const Tensor y(arena, dy.shape), dx(arena, x.shape), dw(arena, w.shape);
    device.compute(ConvForward{conv, upload(x), upload(w), y});
    device.compute(ConvDgrad{conv, upload(dy), upload(w), {dx}});
    device.compute(ConvWgrad{conv, upload(x), upload(dy), {dw}});
    return {to_array(y), to_array(dx), to_array(dw)};
  }

  std::unique_ptr<Backend> device_ = narrow_device();
  std::unique_ptr<Backend> exact_;  // in f32, which is held to the oracle elsewhere
};

TEST_F(CpuBf16, DenseConvolutionsMultiplyRoundedOperands) {
  struct Case {
    std::int64_t batch, kernel, stride, channels, filters, side;
  };
  for (const Case& c : {Case{5, 3, 1, 12, 72, 9}, Case{40, 3, 2, 8, 20, 10}, Case{1, 1, 1, 16, 8, 7},
                        Case{33, 1, 1, 64, 32, 16}, Case{3, 5, 1, 3, 16, 8}}) {
    const Conv2d conv{c.kernel, c.stride, c.kernel / 2, false};
    const Array x = random_array(Shape{c.batch, c.side, c.side, c.channels}, 1), rx = rounded(x);
    const Array w = random_array(Shape{c.filters, c.kernel, c.kernel, c.channels}, 2), rw = rounded(w);
    const Array dy = random_array(conv2d_output(conv, x.shape, w.shape), 3), rdy = rounded(dy);
    const std::string name =
        fmt::format("{}x{} s{} {} to {}", c.kernel, c.kernel, c.stride, c.channels, c.filters);
    const Passes found = passes(*device_, conv, x, w, dy), given = passes(*exact_, conv, x, w, dy);
    const Passes expected = passes(*exact_, conv, rx, rw, rdy);
    for (const auto& pass : {&Passes::forward, &Passes::dgrad, &Passes::wgrad}) {
      EXPECT_LE(nmse(found.*pass, expected.*pass), 1e-11) << name;
      EXPECT_GT(nmse(found.*pass, given.*pass), 1e-7) << name;
    }
  }
}

TEST_F(CpuBf16, NothingThatIsNotANumberIsLost) {
  Array x = random_array(Shape{2, 4, 4, 8}, 1);
  x.values[5] = std::bit_cast<float>(0x7FFFFFFFu);
  const Array w = random_array(Shape{8, 1, 1, 8}, 2);
  const Array dy = random_array(Shape{2, 4, 4, 8}, 3);
  const Passes found = passes(*device_, Conv2d{1, 1, 0, false}, x, w, dy);
  EXPECT_TRUE(std::isnan(found.forward.values[0]) && std::isnan(found.wgrad.values[5]));
}

TEST_F(CpuBf16, LossesAreThoseOfF32WithinTwoPercent) {
  Random random(3, Purpose::test);
  data::ImageSet set{16, 16, 3, {}, {}};
  for (std::int32_t n = 0; n < 256; ++n) {
    set.labels.push_back(n % 10);
    for (int p = 0; p < 16 * 16 * 3; ++p) {
      set.pixels.push_back(static_cast<std::uint8_t>(100 + 10 * (n % 10) + random.below(60)));
    }
  }
  const nas::NetworkPlan plan = nas::plan_network(nas::SearchSpace::preset("tiny").smallest(), {16, 3, 10});
  const auto losses = [&](Backend& device) {
    Arena arena(device, std::size_t{256} << 20);
    const auto images = data::DeviceImages::upload(arena, set);
    nas::NetworkTrainer trainer(device, arena, plan, images,
                                {{0.5f, 0.5f, 0.5f, 0}, {0.25f, 0.25f, 0.25f, 1}},
                                {.epochs = 4, .batch = 32, .seed = 5});
    std::vector<double> all;
    for (int epoch = 0; epoch < 4; ++epoch) all.push_back(trainer.run_epoch(epoch));
    return all;
  };
  const std::vector<double> found = losses(*device_), again = losses(*device_);
  const std::vector<double> exact = losses(*exact_);
  EXPECT_EQ(found, again);
  EXPECT_NE(found, exact);
  for (std::size_t epoch = 0; epoch < exact.size(); ++epoch) {
    EXPECT_NEAR(found[epoch], exact[epoch], 0.02 * exact[epoch]) << epoch;
  }
}

TEST(CpuPrecision, Tf32IsRefused) {
  if (open_device("cpu") == nullptr) GTEST_SKIP() << "no device cpu here";
  EXPECT_THROW(apps::devices(1, "tf32").open("cpu"), Error);
}

}  // namespace
}  // namespace adwp::test
