// Every operator on every device: results against the oracle, gradients against finite differences
// of the oracle, the same bits twice.
#include <cmath>
#include <set>

#include "framework/ops/ops.h"
#include "tests/support/device.h"
#include "tests/support/operator_case.h"

namespace adwp::test {
namespace {

using oracle::Array;

std::vector<Array> make_operands(const OperatorCase& c) {
  std::vector<Array> operands;
  for (const Operand& o : c.operands) {
    operands.push_back(random_array(o.shape, 100 + operands.size(), o.low, o.high));
  }
  return operands;
}

// sum_i direction_i y_i
double project(const Array& y, const Array& direction) {
  double sum = 0;
  for (std::size_t i = 0; i < y.values.size(); ++i) sum += y.values[i] * direction.values[i];
  return sum;
}

class Operators : public DeviceTest {
 protected:
  // All gradients of project(y, direction). Leaves sum into gradients that hold `before` everywhere;
  // with `inner`, operands pass through another operator first, so that their gradients are
  // overwritten instead.
  std::vector<Array> gradients(const OperatorCase& c, const std::vector<Array>& operands,
                               const Array& direction, bool inner) {
    constexpr double before = 0.5;
    const Arena::Frame frame(arena());
    Tape tape(backend(), arena(), Tape::Recording::on);
    std::vector<Tensor> sums;
    std::vector<Variable> inputs;
    for (const Array& operand : operands) {
      Array filled(operand.shape);
      for (double& v : filled.values) v = before;
      sums.push_back(upload(filled));
      const Variable leaf = Variable::leaf(upload(operand), sums.back());
      inputs.push_back(inner ? ops::activation(tape, Activation::none, leaf) : leaf);
    }
    const Variable y = c.device(tape, inputs);
    const std::int64_t size = y.shape().elements();
    if (size > 0) {
      const Variable row = Variable::constant(upload(Array(Shape{1, size}, direction.values)));
      tape.backward(ops::linear(tape, y.reshaped(Shape{1, size}), row, {}).reshaped(Shape{1}));
    }
    std::vector<Array> result;
    for (const Tensor& sum : sums) {
      result.push_back(to_array(sum));
      for (double& v : result.back().values) v -= before;
    }
    return result;
  }
};

TEST_P(Operators, ResultsAreTheOracles) {
  for (const OperatorCase& c : all_cases()) {
    const Arena::Frame frame(arena());
    const std::vector<Array> operands = make_operands(c);
    Tape tape(backend(), arena(), Tape::Recording::off);
    std::vector<Variable> inputs;
    for (const Array& operand : operands) inputs.push_back(Variable::constant(upload(operand)));
    const Array found = to_array(c.device(tape, inputs).value());
    const Array expected = c.oracle(operands);
    EXPECT_EQ(found.shape, expected.shape) << c.name;
    EXPECT_LE(nmse(found, expected), c.tolerance) << c.name;
    EXPECT_EQ(tape.recorded(), 0u) << c.name;
    const std::vector<double> again = to_array(c.device(tape, inputs).value()).values;
    EXPECT_EQ(found.values, again) << c.name << " gives other bits the second time";
  }
}

TEST_P(Operators, GradientsAreFiniteDifferencesOfTheOracle) {
  constexpr double h = 1e-6;
  for (const OperatorCase& c : all_cases()) {
    const std::vector<Array> operands = make_operands(c);
    const Array direction = random_array(c.oracle(operands).shape, 200);
    auto loss = [&](const std::vector<Array>& at) { return project(c.oracle(at), direction); };
    const std::vector<Array> summed = gradients(c, operands, direction, false);
    const std::vector<Array> written = gradients(c, operands, direction, true);
    for (std::size_t which = 0; which < operands.size(); ++which) {
      // Single elements, spread over the operand, and two random directions through all of it.
      Array found_sum(Shape{0}), found_written(Shape{0}), expected(Shape{0});
      auto probe = [&](const Array& along) {
        std::vector<Array> up = operands, down = operands;
        for (std::size_t i = 0; i < along.values.size(); ++i) {
          up[which].values[i] += h * along.values[i];
          down[which].values[i] -= h * along.values[i];
        }
        expected.values.push_back((loss(up) - loss(down)) / (2 * h));
        found_sum.values.push_back(project(summed[which], along));
        found_written.values.push_back(project(written[which], along));
      };
      const std::int64_t size = operands[which].shape.elements();
      if (size == 0) continue;
      std::set<std::int64_t> places;
      for (std::int64_t i = 0; i < 12; ++i) places.insert(i * (size - 1) / 11);
      for (std::int64_t place : places) {
        Array along(operands[which].shape);
        along.at(place) = 1;
        probe(along);
      }
      for (std::uint64_t i = 0; i < 2; ++i) {
        Array along = random_array(operands[which].shape, 300 + i);
        const double length = std::sqrt(project(along, along));
        for (double& v : along.values) v /= length;
        probe(along);
      }
      expected.shape = found_sum.shape = found_written.shape =
          Shape{static_cast<std::int64_t>(expected.values.size())};
      // What is subtracted from sums in f32 and the step of the differences leave this much noise.
      double power = 0;
      for (double v : expected.values) power += v * v;
      if (power < 1e-12) continue;  // a gradient that is zero: nothing to normalise by
      EXPECT_LE(nmse(found_sum, expected), c.gradient_tolerance)
          << c.name << ", operand " << which << ", summed";
      EXPECT_LE(nmse(found_written, expected), c.gradient_tolerance)
          << c.name << ", operand " << which << ", overwritten";
    }
  }
}

// What benches time of a case: operands fit, and the name needs no quoting.
TEST_P(Operators, KernelsOfACaseRun) {
  for (const OperatorCase& c : all_cases()) {
    for (const bench::Kernel& kernel : c.kernels) {
      const Arena::Frame frame(arena());
      bench::Tensors operands;
      for (const Shape& shape : kernel.operands) {
        operands.emplace_back(arena(), shape);
        operands.back().zero();
      }
      const bench::Kernel::Facts facts = kernel.facts(operands);
      EXPECT_EQ((facts.method + facts.shape).find_first_of(" ()"), std::string::npos) << c.name;
      kernel.compute(backend(), operands);
      if (kernel.apart) kernel.apart(backend(), operands);
    }
  }
}

TEST_P(Operators, GradientsAreTheSameBitsTwice) {
  for (const OperatorCase& c : all_cases()) {
    const std::vector<Array> operands = make_operands(c);
    const Array direction = random_array(c.oracle(operands).shape, 200);
    const std::vector<Array> first = gradients(c, operands, direction, false);
    const std::vector<Array> second = gradients(c, operands, direction, false);
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(first[i].values, second[i].values) << c.name << ", operand " << i;
    }
  }
}

ADWP_ON_EVERY_DEVICE(Operators);

}  // namespace
}  // namespace adwp::test
