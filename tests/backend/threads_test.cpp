// The cpu device: no bit of any operator, forward and backward, depends on the number of threads.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "framework/ops/ops.h"
#include "tests/support/device.h"
#include "tests/support/operator_case.h"

namespace adwp::test {
namespace {

// The result of an operator, then the gradients of all operands.
std::vector<std::vector<float>> computed(Backend& backend, const OperatorCase& c) {
  Arena arena(backend, std::size_t{512} << 20);
  Tape tape(backend, arena, Tape::Recording::on);
  std::vector<Tensor> gradients;
  std::vector<Variable> inputs;
  const auto upload = [&](const Shape& shape, std::uint64_t stream, double low, double high) {
    std::vector<float> values;
    for (const double value : random_array(shape, stream, low, high).values) {
      values.push_back(static_cast<float>(value));
    }
    return Tensor::from_host(arena, shape, std::span<const float>(values));
  };
  for (const Operand& operand : c.operands) {
    gradients.emplace_back(arena, operand.shape);
    gradients.back().zero();
    inputs.push_back(Variable::leaf(upload(operand.shape, 100 + inputs.size(), operand.low, operand.high),
                                    gradients.back()));
  }
  const Variable y = c.device(tape, inputs);
  std::vector<std::vector<float>> all{y.value().to_host<float>()};
  const std::int64_t size = y.shape().elements();
  if (size == 0) return all;
  const Variable direction = Variable::constant(upload(Shape{1, size}, 99, -1, 1));
  tape.backward(ops::linear(tape, y.reshaped(Shape{1, size}), direction, {}).reshaped(Shape{1}));
  for (const Tensor& gradient : gradients) all.push_back(gradient.to_host<float>());
  return all;
}

TEST(Threads, NoBitOfAnyOperatorDependsOnTheirNumber) {
  if (open_device("cpu") == nullptr) GTEST_SKIP() << "no device cpu here";
  std::vector<OperatorCase> cases = all_cases();
  for (const std::int64_t rows : {5, 64, 200, 1000}) {  // products as the HyperNetwork has them
    for (const std::int64_t width : {128, 256, 400}) {
      cases.push_back({.name = "linear_" + std::to_string(rows) + "_" + std::to_string(width),
                       .operands = {{Shape{rows, 128}}, {Shape{width, 128}}, {Shape{width}}},
                       .device = [](Tape& tape, const bench::Variables& v) {
                         return ops::linear(tape, v[0], v[1], v[2]);
                       }});
    }
  }
  for (const std::int64_t batch : {32, 50}) {
    for (const Shape& w :
         {Shape{16, 1, 1, 24}, Shape{96, 1, 1, 16}, Shape{24, 3, 3, 16}, Shape{32, 5, 5, 8}}) {
      for (const std::int64_t size : {2, 4, 8}) {
        const int kernel = static_cast<int>(w[1]);
        cases.push_back({.name = fmt::format("conv_{}_{}_{}_{}_to_{}", batch, size, kernel, w[3], w[0]),
                         .operands = {{Shape{batch, size, size, w[3]}}, {w}},
                         .device = [kernel](Tape& tape, const bench::Variables& v) {
                           return ops::conv2d(tape, {.kernel = kernel, .padding = kernel / 2}, v[0], v[1]);
                         }});
      }
    }
  }
  for (const Conv2d& conv : {Conv2d{3, 1, 1, false}, Conv2d{3, 2, 1, true}, Conv2d{1, 1, 0, false}}) {
    const Shape w{conv.depthwise ? 32 : 48, conv.kernel, conv.kernel, conv.depthwise ? 1 : 32}, c{w[0]};
    cases.push_back({.name = "conv_norm_" + conv2d_text(conv, Shape{50, 16, 16, 32}, w),
                     .operands = {{Shape{50, 16, 16, 32}}, {w}, {c, 0.5, 1.5}, {c}},
                     .device = [conv](Tape& tape, const bench::Variables& v) {
                       return ops::conv2d_batch_norm(tape, conv, v[0], v[1], v[2], v[3], Activation::relu);
                     }});
  }
  for (const OperatorCase& c : cases) {
    const auto expected = computed(*apps::devices(1).open("cpu"), c);
    for (const int threads : {2, 3, 4, 5, 8}) {
      const auto found = computed(*apps::devices(threads).open("cpu"), c);
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_TRUE(found[i] == expected[i]) << c.name << ", " << threads << " threads, "
                                             << (i == 0 ? "result" : "gradient " + std::to_string(i - 1));
      }
    }
  }
  apps::devices().open("cpu");  // as many threads as before
}

TEST(Threads, NoBitOfAChainDependsOnTheirNumber) {
  if (open_device("cpu") == nullptr) GTEST_SKIP() << "no device cpu here";
  const auto computed = [](int threads) {
    const auto backend = apps::devices(threads).open("cpu");
    Arena arena(*backend, std::size_t{64} << 20);
    const auto upload = [&](const Shape& shape, std::uint64_t stream, double low, double high) {
      std::vector<float> values;
      for (const double value : random_array(shape, stream, low, high).values) {
        values.push_back(static_cast<float>(value));
      }
      return Tensor::from_host(arena, shape, std::span<const float>(values));
    };
    std::vector<ConvChain::Layer> layers;
    for (const auto& [conv, w] : {std::pair{Conv2d{1, 1, 0, false}, Shape{96, 1, 1, 24}},
                                  std::pair{Conv2d{5, 2, 2, true}, Shape{96, 5, 5, 1}},
                                  std::pair{Conv2d{1, 1, 0, false}, Shape{40, 1, 1, 96}}}) {
      const Shape c{w[0]};
      layers.push_back({conv, upload(w, 1, -1, 1), upload(c, 2, -1, 1), upload(c, 3, 0.5, 2),
                        upload(c, 4, -1, 1), upload(c, 5, -1, 1), Activation::silu});
    }
    const Tensor y(arena, Shape{50, 8, 8, 40});
    backend->compute(
        ConvChain{layers, upload(Shape{50, 16, 16, 24}, 6, -1, 1), upload(y.shape(), 7, -1, 1), 1e-5f, y});
    return y.to_host<float>();
  };
  const auto expected = computed(1);
  for (const int threads : {2, 3, 5, 8}) EXPECT_TRUE(computed(threads) == expected) << threads << " threads";
  apps::devices().open("cpu");  // as many threads as before
}

}  // namespace
}  // namespace adwp::test
