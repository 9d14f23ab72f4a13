#include "framework/optim/optimizer.h"

#include <cmath>

#include "tests/support/device.h"

namespace adwp::test {
namespace {

using nn::Decay;
using nn::Initial;

class OptimizerTest : public DeviceTest {
 protected:
  // A kernel of 3, which decays, and a bias of 2, which does not; both begin at 1.
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    store_.add("kernel", Shape{3}, Decay::yes, Initial::constant(1));
    store_.add("bias", Shape{2}, Decay::no, Initial::constant(1));
    store_.build(arena(), 1);
    set_gradients({3, 0, -4}, {12, 0});  // of norm 13
  }
  void set_gradients(std::vector<float> kernel, std::vector<float> bias) {
    std::vector<float> flat(128, 0.0f);
    std::copy(kernel.begin(), kernel.end(), flat.begin());
    std::copy(bias.begin(), bias.end(), flat.begin() + 64);
    store_.gradients().copy_from_host(std::span<const float>(flat));
  }
  void expect_values(const std::vector<double>& kernel, const std::vector<double>& bias) {
    const std::vector<float> flat = store_.values().to_host<float>();
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(flat[i], kernel[i], 1e-5) << "kernel " << i;
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(flat[64 + i], bias[i], 1e-5) << "bias " << i;
  }

  nn::ParameterStore store_;
};

TEST_P(OptimizerTest, SgdScalesAGradientThatIsTooLongAndDecaysKernels) {
  optim::Sgd sgd(backend(), arena(), store_,
                 {.momentum = 0, .nesterov = false, .weight_decay = 0.1f, .max_norm = 6.5f});
  sgd.step(0.5f);
  // Half the gradient, then 0.5 * 0.1 of the kernel's values.
  expect_values({1 - 0.75 - 0.05, 1 - 0.05, 1 + 1 - 0.05}, {1 - 3, 1});
  EXPECT_EQ(sgd.steps(), 1);
}

TEST_P(OptimizerTest, SgdLeavesAGradientThatIsShortEnough) {
  optim::Sgd sgd(backend(), arena(), store_,
                 {.momentum = 0, .nesterov = false, .weight_decay = 0, .max_norm = 13.5f});
  sgd.step(0.5f);
  expect_values({1 - 1.5, 1, 1 + 2}, {1 - 6, 1});
}

// Ten steps in plain loops: the correction of the moments' bias differs from step to step.
TEST_P(OptimizerTest, AdamWFollowsItsFormulaOverManySteps) {
  optim::AdamW adam(backend(), arena(), store_, {.weight_decay = 0.1f, .max_norm = 0});
  double value[5] = {1, 1, 1, 1, 1}, first[5] = {}, second[5] = {};
  for (int step = 1; step <= 10; ++step) {
    const double g[5] = {3.0 / step, 0.5, -4, 12.0 - step, 0};
    set_gradients({static_cast<float>(g[0]), static_cast<float>(g[1]), static_cast<float>(g[2])},
                  {static_cast<float>(g[3]), static_cast<float>(g[4])});
    adam.step(0.01f);
    EXPECT_EQ(adam.steps(), step);
    for (int i = 0; i < 5; ++i) {
      first[i] = 0.9 * first[i] + 0.1 * g[i];
      second[i] = 0.99 * second[i] + 0.01 * g[i] * g[i];
      const double m = first[i] / (1 - std::pow(0.9, step)), v = second[i] / (1 - std::pow(0.99, step));
      value[i] -= 0.01 * m / (std::sqrt(v) + 1e-8) + (i < 3 ? 0.01 * 0.1 * value[i] : 0);
    }
  }
  expect_values({value[0], value[1], value[2]}, {value[3], value[4]});
}

ADWP_ON_EVERY_DEVICE(OptimizerTest);

TEST(Schedule, WarmsUpInALineAndFallsInHalfACosine) {
  const double expected[] = {0.5, 1, 1.5, 2, 2, 1 + std::sqrt(0.5), 1, 1 - std::sqrt(0.5), 0, 0};
  const std::int64_t steps[] = {0, 1, 2, 3, 4, 6, 8, 10, 12, 20};
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(optim::cosine_schedule(2, steps[i], 4, 12), expected[i], 1e-6) << "step " << steps[i];
  }
  EXPECT_NEAR(optim::cosine_schedule(2, 0, 0, 12), 2, 1e-6);
}

TEST(Schedule, CosinesBeginAnewEachAsLong) {
  // Two cycles of four steps behind four of warm-up.
  const double expected[] = {2, 1 + std::sqrt(0.5), 1, 1 - std::sqrt(0.5)};
  for (std::int64_t step = 0; step < 8; ++step) {
    EXPECT_NEAR(optim::cosine_schedule(2, 4 + step, 4, 12, 2), expected[step % 4], 1e-6) << step;
  }
  EXPECT_NEAR(optim::cosine_schedule(2, 1, 4, 12, 2), 1, 1e-6);
  EXPECT_NEAR(optim::cosine_schedule(2, 12, 4, 12, 2), 0, 1e-6);
}

}  // namespace
}  // namespace adwp::test
