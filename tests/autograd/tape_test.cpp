#include "framework/autograd/tape.h"

#include "framework/core/error.h"
#include "framework/ops/ops.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

class TapeTest : public DeviceTest {
 protected:
  Variable leaf(const oracle::Array& value) {
    const Tensor gradient(arena(), value.shape);
    gradient.zero();
    return Variable::leaf(upload(value), gradient);
  }
  // The mean over all elements as a graph of operators; its gradient is 1 / n everywhere.
  Variable mean(Tape& tape, const Variable& x) {
    const std::int64_t n = x.shape().elements();
    const oracle::Array weights(Shape{1, n},
                                std::vector<double>(static_cast<std::size_t>(n), 1.0 / double(n)));
    return ops::linear(tape, x.reshaped(Shape{1, n}), Variable::constant(upload(weights)), {})
        .reshaped(Shape{1});
  }
};

TEST_P(TapeTest, SumsOverAllUsesOfAValue) {
  const Variable x = leaf(random_array(Shape{4}, 1));
  Tape tape(backend(), arena(), Tape::Recording::on);
  const Variable twice = ops::add(tape, x, x);
  tape.backward(mean(tape, ops::add(tape, twice, x)));
  for (float g : x.gradient().tensor().to_host<float>()) EXPECT_FLOAT_EQ(g, 3.0f / 4);
}

TEST_P(TapeTest, GradientsOfViewsLandInTheirBase) {
  const Variable x = leaf(random_array(Shape{8}, 2));
  Tape tape(backend(), arena(), Tape::Recording::on);
  // Views of an inner value: a part unused, a part used twice.
  const Variable inner = ops::activation(tape, Activation::none, x);
  const Variable tail = inner.view(4, Shape{4});
  tape.backward(mean(tape, ops::add(tape, tail, tail)));
  const std::vector<float> expected = {0, 0, 0, 0, 0.5f, 0.5f, 0.5f, 0.5f};
  EXPECT_EQ(x.gradient().tensor().to_host<float>(), expected);
}

TEST_P(TapeTest, ScalesByTheWeightOfTheLoss) {
  const Variable x = leaf(random_array(Shape{2}, 3));
  Tape tape(backend(), arena(), Tape::Recording::on);
  tape.backward(mean(tape, ops::add(tape, x, x)), 0.25f);
  for (float g : x.gradient().tensor().to_host<float>()) EXPECT_FLOAT_EQ(g, 0.25f);
}

TEST_P(TapeTest, RecordsOnlyWhatAGradientNeeds) {
  const Variable constant = Variable::constant(upload(random_array(Shape{4}, 4)));
  const Variable x = leaf(random_array(Shape{4}, 5));
  Tape tape(backend(), arena(), Tape::Recording::on);
  EXPECT_FALSE(ops::add(tape, constant, constant).requires_grad());
  EXPECT_EQ(tape.recorded(), 0u);
  EXPECT_TRUE(ops::add(tape, constant, x).requires_grad());
  EXPECT_EQ(tape.recorded(), 1u);
  Tape off(backend(), arena(), Tape::Recording::off);
  EXPECT_FALSE(ops::add(off, x, x).requires_grad());
  EXPECT_EQ(off.recorded(), 0u);
}

TEST_P(TapeTest, GivesMemoryBackOnTheWay) {
  const Variable x = leaf(random_array(Shape{1 << 16}, 6));
  const std::size_t before = arena().in_use();
  Tape tape(backend(), arena(), Tape::Recording::on);
  {
    Variable y = x;
    for (int i = 0; i < 4; ++i) y = ops::activation(tape, Activation::silu, y);
    const Variable loss = mean(tape, y);
    y = Variable();
    tape.backward(loss);
  }
  EXPECT_EQ(tape.recorded(), 0u);
  EXPECT_EQ(arena().in_use(), before);
}

TEST_P(TapeTest, WithoutGradientsAValueLivesUntilItsLastUse) {
  const Tensor data = upload(random_array(Shape{1 << 16}, 7));
  Tape tape(backend(), arena(), Tape::Recording::off);
  const std::size_t before = arena().peak();
  Variable y = Variable::constant(data);
  for (int i = 0; i < 10; ++i) y = ops::activation(tape, Activation::relu, y);
  EXPECT_LE(arena().peak() - before, 2 * (data.bytes() + 2 * Arena::alignment));
}

TEST_P(TapeTest, RefusesALossThatIsNotOneNumber) {
  const Variable x = leaf(random_array(Shape{4}, 8));
  Tape tape(backend(), arena(), Tape::Recording::on);
  EXPECT_THROW(tape.backward(ops::add(tape, x, x)), Error);
}

TEST_P(TapeTest, RefusesAGradientOfAnotherShape) {
  EXPECT_THROW(Variable::leaf(upload(random_array(Shape{4}, 9)), Tensor(arena(), Shape{5})), Error);
}

ADWP_ON_EVERY_DEVICE(TapeTest);

}  // namespace
}  // namespace adwp::test
