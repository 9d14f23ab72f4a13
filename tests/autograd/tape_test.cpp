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

// A sum hands its gradient on as it is. What one of its terms collects besides is not seen by the other.
TEST_P(TapeTest, TermsOfASumShareNoMoreThanItsGradient) {
  const Variable x = leaf(random_array(Shape{4}, 6));
  Tape tape(backend(), arena(), Tape::Recording::on);
  const Variable second = ops::activation(tape, Activation::none, x);
  const Variable first = ops::activation(tape, Activation::none, x);
  const Variable more = ops::activation(tape, Activation::none, first);
  const Variable total = ops::add(tape, ops::add(tape, first, second), more);
  tape.backward(mean(tape, total));
  for (const auto& [value, expected] :
       {std::pair{&second, 0.25f}, {&first, 0.5f}, {&more, 0.25f}, {&total, 0.25f}, {&x, 0.75f}}) {
    const std::vector<float> gradient = value->gradient().tensor().to_host<float>();
    EXPECT_EQ(gradient, std::vector<float>(4, expected));
  }
}

// A norm behind a convolution is applied when its value is asked for, once, and not at all where only
// convolutions and sums read it; where the device leaves it to them.
TEST_P(TapeTest, ANormIsLeftToWhoeverReadsIt) {
  const bool leaves = GetParam() != "cpu";
  Tape tape(backend(), arena(), Tape::Recording::off);
  const auto uploaded = [&](Shape shape) {
    return Variable::constant(upload(random_array(shape, 7, 0.5, 1)));
  };
  const Conv2d point{1, 1, 0, false};
  const auto layer = [&](const Variable& x) {
    return ops::conv2d_batch_norm(tape, point, x, uploaded(Shape{8, 1, 1, 8}), uploaded(Shape{8}),
                                  uploaded(Shape{8}), Activation::relu);
  };
  const auto norms = [&](const auto& work) {
    Profile profile;
    backend().attach(&profile);
    work();
    backend().attach(nullptr);
    return profile.rows["batch_norm_inference"].calls;
  };
  const Variable x = uploaded(Shape{3, 5, 5, 8});
  Variable last, sum;
  EXPECT_EQ(norms([&] { last = layer(layer(x)); }), 0);
  EXPECT_EQ(norms([&] { sum = ops::add(tape, last, x); }), leaves ? 1 : 0);
  EXPECT_EQ(norms([&] { last.value(), last.value(), last.reshaped(Shape{75, 8}).value(); }), leaves ? 1 : 0);
  EXPECT_LE(nmse(to_array(sum.value()), oracle::add(to_array(last.value()), to_array(x.value()))), 1e-14);
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
