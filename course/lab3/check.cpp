// The checker of lab 3: loops against double precision, gradients against differences, the tape, a training.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "course/common/report.h"
#include "course/lab3/lab.h"
#include "cpu/cpu_backend.h"
#include "framework/nn/parameter_store.h"
#include "framework/ops/ops.h"
#include "framework/optim/optimizer.h"

namespace adwp::course {
namespace {

using Doubles = std::vector<double>;

std::vector<float> to_floats(const Doubles& values) { return {values.begin(), values.end()}; }

// Rounded to f32, from -1 to 1, none so near to the kink at 0 that a difference would reach across it.
Doubles numbers(std::int64_t count, std::uint64_t stream) {
  Random random(3, Purpose::test, stream);
  Doubles values(count);
  for (double& value : values) {
    value = static_cast<float>((random.coin() ? 1 : -1) * (0.05 + 0.95 * double{random.uniform()}));
  }
  return values;
}

struct Case {
  std::int64_t rows, channels;
  Doubles x = numbers(rows * channels, 1), slope = numbers(channels, 2), dy = numbers(rows * channels, 3);

  std::string text() const { return fmt::format("rows {}, channels {}", rows, channels); }
  Doubles expected() const {
    Doubles y(x);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] *= x[i] > 0 ? 1 : slope[i % slope.size()];
    return y;
  }
  // By central differences of sum(y dy): what the gradients by x and by slope must be.
  Doubles gradient(bool by_x) const {
    Doubles result;
    Case moved = *this;
    for (double& value : by_x ? moved.x : moved.slope) {
      const double middle = value;
      double change[2];
      for (const int side : {0, 1}) {
        value = middle + (side == 0 ? -1e-4 : 1e-4);
        const Doubles y = moved.expected();
        change[side] = std::inner_product(y.begin(), y.end(), dy.begin(), 0.0);
      }
      value = middle;
      result.push_back((change[1] - change[0]) / 2e-4);
    }
    return result;
  }
};
const std::vector<Case>& cases() {
  static const std::vector<Case> all{{3, 4}, {1, 1}, {50, 7}, {1, 9}, {200, 1}};
  return all;
}

template <typename Values>
void expect_close(const std::string& what, const Values& found, const Doubles& expected,
                  double tolerance = 2e-5) {
  expect(found.size() == expected.size(), "{}: {} numbers, expected {}", what, found.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expect(std::abs(found[i] - expected[i]) <= tolerance * std::max(1.0, std::abs(expected[i])),
           "{}: number {} is {:.9g}, expected {:.9g}", what, i, found[i], expected[i]);
  }
}

std::string check_forward() {
  for (const Case& c : cases()) {
    std::vector<float> y(c.x.size(), std::nanf(""));
    lab::forward(to_floats(c.x).data(), to_floats(c.slope).data(), y.data(), c.rows, c.channels);
    expect_close("forward, " + c.text(), y, c.expected());
  }
  return "";
}

std::string check_tools() {
  for (const Case& c : cases())
    expect_close("oracle, " + c.text(), lab::oracle(c.x, c.slope), c.expected(), 1e-14);
  const Doubles at{0.3, -1.2, 2.0};
  const auto f = [](const Doubles& x) { return std::exp(x[0]) * x[1] + x[2] * x[2] * x[2]; };
  const Doubles expected{std::exp(0.3) * -1.2, std::exp(0.3), 12.0};
  const Doubles found = lab::differences(f, at);
  expect_close("differences of exp(x0) x1 + x2^3", found, expected, 1e-2);
  for (std::size_t i = 0; i < 3; ++i) {
    expect(std::abs(found[i] - expected[i]) < 2e-8,
           "differences: derivative {} is off by {:.1e}, expected at most 2e-8; is the difference central, "
           "and its "
           "step neither so large that the curve bends nor so small that digits cancel?",
           i, std::abs(found[i] - expected[i]));
  }
  return "";
}

std::string check_backward() {
  for (const Case& c : cases()) {
    const std::vector<float> x = to_floats(c.x), slope = to_floats(c.slope), dy = to_floats(c.dy);
    for (const bool adds : {false, true}) {
      const std::string mode = adds ? ", added to a target of ones" : ", overwriting";
      const float before = adds ? 1 : std::nanf("");
      std::vector<float> dx(x.size(), before), dslope(slope.size(), before);
      lab::backward_x(x.data(), slope.data(), dy.data(), dx.data(), adds, c.rows, c.channels);
      lab::backward_slope(x.data(), dy.data(), dslope.data(), adds, c.rows, c.channels);
      for (const bool by_x : {true, false}) {
        Doubles expected = c.gradient(by_x);
        for (double& value : expected) value += adds ? 1 : 0;
        expect_close(fmt::format("backward_{}, {}{}", by_x ? "x" : "slope", c.text(), mode),
                     by_x ? dx : dslope, expected);
      }
    }
  }
  return "equal to finite differences";
}

struct Machine {
  std::unique_ptr<Backend> device = cpu::open_cpu(1);
  Arena arena{*device, std::size_t{16} << 20};

  Tensor upload(Shape shape, const Doubles& values) {
    return Tensor::from_host(arena, shape, std::span<const float>(to_floats(values)));
  }
  Tensor zeros(Shape shape) { return upload(shape, Doubles(shape.elements())); }
};

std::string check_tape() {
  Machine m;
  const Case c{6, 5};
  const Shape shape{6, 5}, channels{5};
  const Tensor x = m.upload(shape, c.x), slope = m.upload(channels, c.slope);
  Tape off(*m.device, m.arena, Tape::Recording::off);
  const Variable y = lab::prelu(off, Variable::constant(x), Variable::constant(slope));
  expect(y.shape() == shape, "prelu: the result is {}, expected {}", y.shape().text(), shape.text());
  expect_close("prelu", y.value().to_host<float>(), c.expected());
  expect(x.to_host<float>() == to_floats(c.x), "prelu: it has changed its input");

  for (const auto& [by_x, by_slope] : {std::pair{true, true}, {true, false}, {false, true}}) {
    Tape tape(*m.device, m.arena, Tape::Recording::on);
    const Tensor dx = m.zeros(shape), dslope = m.zeros(channels);
    const Variable xv = by_x ? Variable::leaf(x, dx) : Variable::constant(x);
    const Variable sv = by_slope ? Variable::leaf(slope, dslope) : Variable::constant(slope);
    // Used twice: each gradient has two contributions, of which the second is added.
    const Variable twice = ops::add(tape, lab::prelu(tape, xv, sv), lab::prelu(tape, xv, sv));
    expect(tape.recorded() == 3,
           "prelu: two calls and a sum recorded {} closures, expected 3; record one a call, and "
           "name both inputs",
           tape.recorded());
    // A sum weighed by ones: linear with a weight of ones, over all elements in one row.
    const Tensor ones = m.upload(Shape{1, shape.elements()}, Doubles(shape.elements(), 1));
    tape.backward(ops::linear(tape, twice.reshaped(Shape{1, shape.elements()}), Variable::constant(ones), {})
                      .reshaped(Shape{1}));
    Case summed = c;
    std::fill(summed.dy.begin(), summed.dy.end(), 2.0);
    if (by_x)
      expect_close("prelu on the tape, gradient by x, used twice", dx.to_host<float>(),
                   summed.gradient(true));
    if (by_slope) {
      expect_close("prelu on the tape, gradient by slope, used twice", dslope.to_host<float>(),
                   summed.gradient(false));
    }
  }
  return "";
}

constexpr std::int64_t points = 512, hidden = 32, rings = 3;

struct Store {
  nn::ParameterStore all;
  int w1 = all.add("w1", {hidden, 2}, nn::Decay::yes, nn::Initial::he(2));
  int b1 = all.add("b1", {hidden}, nn::Decay::no, nn::Initial::constant(0));
  int slope = all.add("slope", {hidden}, nn::Decay::no, nn::Initial::constant(0.25f));
  int w2 = all.add("w2", {rings, hidden}, nn::Decay::yes, nn::Initial::he(hidden));
  int b2 = all.add("b2", {rings}, nn::Decay::no, nn::Initial::constant(0));
  lab::Parameters variables() const { return {all[w1], all[b1], all[slope], all[w2], all[b2]}; }
};

// Trains to tell in which of three rings around the origin a point lies.
std::string check_training() {
  Machine m;
  Store store;
  store.all.build(m.arena, 1);
  optim::AdamW optimizer(*m.device, m.arena, store.all, {});
  Random random(1, Purpose::test);
  std::vector<float> positions(2 * points);
  std::vector<std::int32_t> labels(points);
  for (std::int64_t i = 0; i < points; ++i) {
    for (const int axis : {0, 1}) positions[2 * i + axis] = 3 * random.uniform() - 1.5f;
    labels[i] = std::min(2, static_cast<int>(std::hypot(positions[2 * i], positions[2 * i + 1]) / 0.6f));
  }
  const Tensor x = Tensor::from_host(m.arena, {points, 2}, std::span<const float>(positions));
  const Tensor y = Tensor::from_host(m.arena, {points}, std::span<const std::int32_t>(labels));
  float loss_now = 0;
  for (int step = 0; step < 400; ++step) {
    const Arena::Frame frame(m.arena);
    Tape tape(*m.device, m.arena, Tape::Recording::on);
    store.all.zero_gradients();
    const Variable logits = lab::network(tape, store.variables(), Variable::constant(x));
    expect(logits.shape() == Shape({points, rings}), "network: logits are {}, expected {}",
           logits.shape().text(), Shape({points, rings}).text());
    expect(tape.recorded() == 3, "network: {} operators are recorded, expected 3: linear, prelu, linear",
           tape.recorded());
    const Variable loss = ops::cross_entropy(tape, logits, y, 0);
    loss_now = loss.value().to_host<float>()[0];
    tape.backward(loss);
    optimizer.step(0.02f);
  }
  const std::vector<float> slopes = store.variables().slope.value().to_host<float>();
  expect(std::any_of(slopes.begin(), slopes.end(), [](float s) { return std::abs(s - 0.25f) > 0.05f; }),
         "network: after 400 steps all slopes are still near .25; does a gradient reach them?");
  expect(loss_now < 0.15, "network: the loss after 400 steps is {:.3f}, expected below .15", loss_now);
  return fmt::format("the loss after 400 steps is {:.3f}", loss_now);
}

}  // namespace
}  // namespace adwp::course

int main() {
  using namespace adwp::course;
  Report report("lab 3");
  report.task("forward", check_forward);
  report.task("oracle and differences", check_tools);
  report.task("backward", check_backward);
  report.task("prelu on the tape", check_tape);
  report.task("a network trains with it", check_training);
  return report.end();
}
