// Operators where a random operand does not lead.
#include <cmath>

#include "framework/backend/profile.h"
#include "framework/ops/ops.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

class OperatorsReference : public DeviceTest {};

TEST_P(OperatorsReference, LayerNormOfARowWithoutVariance) {
  const std::vector<float> values = {3, 3, 3, 3, -1, -1, -1, -1};
  const Tensor x = Tensor::from_host(arena(), Shape{2, 4}, std::span<const float>(values));
  const Tensor gradient(arena(), Shape{2, 4});
  gradient.zero();
  const Variable leaf = Variable::leaf(x, gradient);
  Tape tape(backend(), arena(), Tape::Recording::on);
  const Variable y = ops::layer_norm(tape, leaf, Activation::none);
  EXPECT_EQ(y.value().to_host<float>(), std::vector<float>(8, 0.0f));
  // By the first element: (1 - 1/4) / sqrt(epsilon), and -1/4 of that by the others of its row.
  const std::vector<float> first = {1, 0, 0, 0, 0, 0, 0, 0};
  const Variable weights =
      Variable::constant(Tensor::from_host(arena(), Shape{1, 8}, std::span<const float>(first)));
  tape.backward(ops::linear(tape, y.reshaped(Shape{1, 8}), weights, {}).reshaped(Shape{1}));
  const double inverse = 1 / std::sqrt(1e-5);
  const double expected[] = {0.75, -0.25, -0.25, -0.25, 0, 0, 0, 0};
  const std::vector<float> found = gradient.to_host<float>();
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(found[i], expected[i] * inverse, 0.01) << i;
}

TEST_P(OperatorsReference, AProfileCountsTheBytesOfAllOperands) {
  const Tensor a = upload(random_array(Shape{100}, 1)), b = upload(random_array(Shape{100}, 2));
  Tape tape(backend(), arena(), Tape::Recording::off);
  Profile profile;
  backend().attach(&profile);
  for (int i = 0; i < 3; ++i) ops::add(tape, Variable::constant(a), Variable::constant(b));
  backend().attach(nullptr);
  ASSERT_EQ(profile.rows.size(), 1u);
  EXPECT_EQ(profile.rows.begin()->second.calls, 3);
  EXPECT_EQ(profile.rows.begin()->second.bytes, 3 * 3 * 400.0);
}

ADWP_ON_EVERY_DEVICE(OperatorsReference);

}  // namespace
}  // namespace adwp::test
