#include "framework/ops/ops.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

class TapeReference : public DeviceTest {
 protected:
  Variable leaf(const std::vector<float>& value, const std::vector<float>& gradient) {
    const Shape shape{std::ssize(value)};
    return Variable::leaf(Tensor::from_host(arena(), shape, std::span<const float>(value)),
                          Tensor::from_host(arena(), shape, std::span<const float>(gradient)));
  }
  // The sum of all elements, as a loss.
  Variable sum(Tape& tape, const Variable& x) {
    const Tensor ones = Tensor::from_host(
        arena(), Shape{1, x.shape()[0]},
        std::span<const float>(std::vector<float>(static_cast<std::size_t>(x.shape()[0]), 1.0f)));
    return ops::linear(tape, x.reshaped(Shape{1, x.shape()[0]}), Variable::constant(ones), {})
        .reshaped(Shape{1});
  }
};

TEST_P(TapeReference, AGradientIsSummedOntoWhatTheLeafHolds) {
  const Variable x = leaf({1, -2, 3}, {10, 20, 30});
  Tape tape(backend(), arena(), Tape::Recording::on);
  tape.backward(sum(tape, ops::activation(tape, Activation::relu, x)), 0.5f);
  EXPECT_EQ(x.gradient().tensor().to_host<float>(), (std::vector<float>{10.5f, 20, 30.5f}));
}

TEST_P(TapeReference, AnOutputThatNothingUsesPassesNoGradientOn) {
  const Variable x = leaf({1, 2, 3}, {0, 0, 0});
  Tape tape(backend(), arena(), Tape::Recording::on);
  const Variable used = ops::activation(tape, Activation::relu, x);
  const Variable unused = ops::activation(tape, Activation::sigmoid, used);
  tape.backward(sum(tape, used));
  EXPECT_FALSE(unused.gradient().tensor().defined());
  EXPECT_EQ(x.gradient().tensor().to_host<float>(), (std::vector<float>{1, 1, 1}));
}

ADWP_ON_EVERY_DEVICE(TapeReference);

}  // namespace
}  // namespace adwp::test
