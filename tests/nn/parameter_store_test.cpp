#include "framework/nn/parameter_store.h"

#include <algorithm>
#include <cmath>

#include "tests/support/device.h"

namespace adwp::test {
namespace {

using nn::Decay;
using nn::Initial;

class ParameterStoreTest : public DeviceTest {};

TEST_P(ParameterStoreTest, DecayedParametersStandFirstEachAtAMultipleOf64) {
  nn::ParameterStore store;
  const int bias = store.add("bias", Shape{10}, Decay::no, Initial::constant(3));
  const int kernel = store.add("kernel", Shape{5, 13}, Decay::yes, Initial::constant(1));
  const int scale = store.add("scale", Shape{64}, Decay::no, Initial::constant(4));
  const int last = store.add("last", Shape{2}, Decay::yes, Initial::constant(2));
  store.build(arena(), 1);
  EXPECT_EQ(store.entry(kernel).offset, 0);  // 65 elements
  EXPECT_EQ(store.entry(last).offset, 128);
  EXPECT_EQ(store.decayed(), 192);
  EXPECT_EQ(store.entry(bias).offset, 192);
  EXPECT_EQ(store.entry(scale).offset, 256);
  EXPECT_EQ(store.parameters(), 10 + 65 + 64 + 2);
  std::vector<float> expected(320, 0.0f);
  std::fill_n(expected.begin(), 65, 1.0f);
  std::fill_n(expected.begin() + 128, 2, 2.0f);
  std::fill_n(expected.begin() + 192, 10, 3.0f);
  std::fill_n(expected.begin() + 256, 64, 4.0f);
  EXPECT_EQ(store.values().to_host<float>(), expected);
  EXPECT_EQ(store.gradients().to_host<float>(), std::vector<float>(320, 0.0f));
  EXPECT_EQ(store[bias].value().to_host<float>(), std::vector<float>(10, 3.0f));
}

TEST_P(ParameterStoreTest, InitialValuesHaveTheDeviationTheyAreToHave) {
  nn::ParameterStore store;
  const int he = store.add("he", Shape{100, 200}, Decay::yes, Initial::he(50));
  const int normal = store.add("normal", Shape{20000}, Decay::yes, Initial::normal(3));
  const int uniform = store.add("uniform", Shape{20000}, Decay::yes, Initial::uniform(2));
  store.build(arena(), 1);
  const auto moments = [&](int parameter) {
    double sum = 0, square = 0;
    for (float v : store[parameter].value().to_host<float>()) sum += v / 20000.0, square += v * v / 20000.0;
    return std::pair(sum, square);
  };
  EXPECT_NEAR(moments(he).second, 2.0 / 50, 0.002);
  EXPECT_NEAR(moments(normal).second, 9, 0.5);
  EXPECT_NEAR(moments(uniform).second, 4.0 / 3, 0.05);
  EXPECT_NEAR(moments(uniform).first, 0, 0.05);
  const std::vector<float> values = store[uniform].value().to_host<float>();
  EXPECT_LT(*std::max_element(values.begin(), values.end()), 2);
  EXPECT_GE(*std::min_element(values.begin(), values.end()), -2);
}

ADWP_ON_EVERY_DEVICE(ParameterStoreTest);

}  // namespace
}  // namespace adwp::test
