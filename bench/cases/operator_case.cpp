#include "bench/cases/operator_case.h"

#include <fmt/format.h>

#include "framework/ops/ops.h"

namespace adwp::bench {
namespace {

constexpr float epsilon = ops::batch_norm_epsilon;

// "3x3 s2 (64, 32, 32, 48) -> 96" as "3x3_s2_64x32x32x48_to_96": a name that no filter has to quote.
std::string in_a_name(std::string text) {
  const std::pair<std::string, std::string> rules[] = {
      {" -> ", "_to_"}, {" | ", "_and_"}, {" x ", "x"}, {", ", "x"}, {"(", ""}, {")", ""}, {" ", "_"}};
  for (const auto& [from, to] : rules) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;)
      text.replace(at, from.size(), to);
  }
  return text;
}

// A kernel from a function that makes the operator of tensors. `shape`: for operators that have no text().
template <typename Make>
Kernel kernel(std::vector<Shape> operands, Make make, std::string shape = "") {
  using Op = decltype(make(Tensors()));
  if (shape.empty()) shape = operands[0].text();
  auto facts = [make, shape](const Tensors& t) {
    const Op op = make(t);
    Operands checked(Op::name);
    op.check(checked);
    Kernel::Facts found{Op::name, shape, checked.bytes(), 0};
    if constexpr (requires { op.text(); }) found.shape = op.text();
    if constexpr (requires { op.flops(); }) found.flops = op.flops();
    if constexpr (requires { op.transpose_a; }) {  // the factors of a gradient stand on their side
      if (op.transpose_a) found.shape += " AT";
      if (op.transpose_b) found.shape += " BT";
    }
    if constexpr (requires { op.act; }) {
      if (op.act != Activation::none) found.shape += std::string(" ") + name_of(op.act);
    }
    found.shape = in_a_name(found.shape);
    return found;
  };
  return {.operands = std::move(operands),
          .compute = [make](Backend& backend, const Tensors& t) { backend.compute(make(t)); },
          .facts = facts};
}

Target sum_into(const Tensor& tensor) { return {tensor, GradMode::accumulate}; }

// dw adds, as gradients of parameters do; dx is overwritten.
Kernel wgrad(const Conv2d& conv, const Shape& x, const Shape& w, const Shape& y) {
  return kernel({x, y, w}, [conv](const Tensors& t) { return ConvWgrad{conv, t[0], t[1], sum_into(t[2])}; });
}
Kernel dgrad(const Conv2d& conv, const Shape& x, const Shape& w, const Shape& y) {
  Kernel found = kernel({y, w, x}, [conv](const Tensors& t) { return ConvDgrad{conv, t[0], t[1], {t[2]}}; });
  found.input_gradient = true;
  return found;
}
Kernel convolution(const Conv2d& conv, const Shape& x, const Shape& w, const Shape& y) {
  return kernel({x, w, y}, [conv](const Tensors& t) { return ConvForward{conv, t[0], t[1], t[2]}; });
}

Kernel norm(const Shape& x, Activation act) {
  const Shape c{x.back()};
  return kernel({x, c, c, x, c, c}, [act](const Tensors& t) {
    return BatchNormForward{t[0], t[1], t[2], epsilon, act, t[3], t[4], t[5]};
  });
}
Kernel norm_backward(const Shape& x, Activation act) {
  const Shape c{x.back()};
  return kernel({x, x, c, c, c, c, x, c, c}, [act](const Tensors& t) {
    return BatchNormBackward{t[0],    t[1], t[2],   t[3],           t[4],          t[5],
                             epsilon, act,  {t[6]}, sum_into(t[7]), sum_into(t[8])};
  });
}

// A product of two matrices; `operands`: a, b, c and, where there is one, the bias.
Kernel product(bool transpose_a, bool transpose_b, std::vector<Shape> operands, GradMode mode) {
  return kernel(std::move(operands), [=](const Tensors& t) {
    return Gemm{transpose_a,      transpose_b, t[0], t[1], t.size() > 3 ? t[3] : Tensor(),
                Activation::none, {t[2], mode}};
  });
}

Shape kernel_shape(const Conv2d& conv, const Shape& x, std::int64_t filters) {
  return Shape{filters, conv.kernel, conv.kernel, conv.depthwise ? 1 : x[3]};
}

}  // namespace

OperatorCase conv2d(const Conv2d& conv, const Shape& x, std::int64_t filters) {
  const Shape w = kernel_shape(conv, x, filters), y = conv2d_output(conv, x, w);
  return {.name = fmt::format("conv2d_{}_p{}", in_a_name(conv2d_text(conv, x, w)), conv.padding),
          .operands = {{x}, {w}},
          .device = [conv](Tape& tape, const Variables& v) { return ops::conv2d(tape, conv, v[0], v[1]); },
          .kernels = {convolution(conv, x, w, y), wgrad(conv, x, w, y), dgrad(conv, x, w, y)}};
}

OperatorCase batch_norm(const Shape& x, Activation act) {
  const Shape channels{x.back()};
  return {.name = fmt::format("batch_norm_{}_{}", in_a_name(x.text()), name_of(act)),
          .operands = {{x, -2, 3}, {channels, 0.5, 1.5}, {channels, -0.5, 0.5}},
          .device = [act](Tape& tape,
                          const Variables& v) { return ops::batch_norm(tape, v[0], v[1], v[2], act); },
          .kernels = {norm(x, act), norm_backward(x, act)}};
}

OperatorCase conv2d_batch_norm(const Conv2d& conv, const Shape& x, std::int64_t filters, Activation act) {
  const Shape w = kernel_shape(conv, x, filters), y = conv2d_output(conv, x, w), c{filters};
  OperatorCase found{
      .name = fmt::format("conv2d_batch_norm_{}_{}", in_a_name(conv2d_text(conv, x, w)), name_of(act)),
      .operands = {{x}, {w}, {c, 0.5, 1.5}, {c, -0.5, 0.5}},
      .device = [=](Tape& tape, const Variables& v) {
        return ops::conv2d_batch_norm(tape, conv, v[0], v[1], v[2], v[3], act);
      }};
  auto make = [=](const Tensors& t) {
    return ConvBatchNormForward{conv, t[0], t[1], t[2], t[3], epsilon, act, t[4], t[5], t[6], t[7]};
  };
  found.kernels = {kernel({x, w, c, c, y, y, c, c}, make)};
  found.kernels[0].apart = [make](Backend& backend, const Tensors& t) {
    backend.compute(make(t).convolution());
    backend.compute(make(t).normalization());
  };
  for (Kernel& backward : std::vector{norm_backward(y, act), wgrad(conv, x, w, y), dgrad(conv, x, w, y)}) {
    found.kernels.push_back(std::move(backward));
  }
  return found;
}

OperatorCase linear(std::int64_t m, std::int64_t k, std::int64_t n, bool bias, Activation act) {
  const Shape x{m, k}, w{n, k}, y{m, n};
  OperatorCase found{.name = fmt::format("linear_{}x{}x{}{}_{}", m, k, n, bias ? "_bias" : "", name_of(act)),
                     .operands = {{x}, {w}},
                     .device = [=](Tape& tape, const Variables& v) {
                       return ops::linear(tape, v[0], v[1], bias ? v[2] : Variable(), act);
                     }};
  std::vector<Shape> forward{x, w, y};
  if (bias) {
    found.operands.push_back({Shape{n}});
    forward.push_back(Shape{n});
  }
  found.kernels = {product(false, true, forward, GradMode::overwrite),
                   product(true, false, {y, x, w}, GradMode::accumulate),
                   product(false, false, {y, w, x}, GradMode::overwrite)};
  return found;
}

OperatorCase add(const Shape& x) {
  return {.name = "add_" + in_a_name(x.text()),
          .operands = {{x}, {x}},
          .device = [](Tape& tape, const Variables& v) { return ops::add(tape, v[0], v[1]); },
          .kernels = {kernel({x, x, x}, [](const Tensors& t) {
            return Add{t[0], t[1], t[2]};
          })}};
}

OperatorCase concat(const Shape& a, std::int64_t channels) {
  const Shape b{a[0], a[1], a[2], channels}, y{a[0], a[1], a[2], a[3] + channels};
  const std::string shape = fmt::format("{} | {}", a.text(), channels);
  return {.name = "concat_" + in_a_name(shape),
          .operands = {{a}, {b}},
          .device = [](Tape& tape, const Variables& v) { return ops::concat(tape, v[0], v[1]); },
          .kernels = {kernel(
              {a, b, y},
              [](const Tensors& t) {
                return ConcatForward{t[0], t[1], t[2]};
              },
              shape)}};
}

OperatorCase channel_scale(const Shape& x) {
  const Shape s{x[0], 1, 1, x[3]};
  return {.name = "channel_scale_" + in_a_name(x.text()),
          .operands = {{x}, {s}},
          .device = [](Tape& tape, const Variables& v) { return ops::channel_scale(tape, v[0], v[1]); },
          .kernels = {kernel({x, s, x},
                             [](const Tensors& t) {
                               return ChannelScaleForward{t[0], t[1], t[2]};
                             }),
                      kernel({x, x, s, x, s}, [](const Tensors& t) {
                        return ChannelScaleBackward{t[0], t[1], t[2], {t[3]}, {t[4]}};
                      })}};
}

OperatorCase global_pool(const Shape& x) {
  const Shape y{x[0], 1, 1, x[3]};
  return {.name = "global_pool_" + in_a_name(x.text()),
          .operands = {{x}},
          .device = [](Tape& tape, const Variables& v) { return ops::global_pool(tape, v[0]); },
          .kernels = {kernel({x, y},
                             [](const Tensors& t) {
                               return GlobalPoolForward{t[0], t[1]};
                             }),
                      kernel(
                          {y, x},
                          [](const Tensors& t) {
                            return GlobalPoolBackward{t[0], {t[1]}};
                          },
                          x.text())}};
}

}  // namespace adwp::bench
