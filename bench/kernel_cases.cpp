#include "bench/kernel_cases.h"

#include <fmt/format.h>

#include <map>

namespace adwp::bench {
namespace {

using Tensors = std::vector<Tensor>;
constexpr float epsilon = 1e-5f;

class Collector {
 public:
  explicit Collector(std::int64_t batch) : batch_(batch) {}

  void add(const nas::NetworkPlan& plan) {
    std::vector<Shape> values{image_shape(plan.task.image_size, plan.task.channels)};
    for (const nas::Step& step : plan.steps) {
      auto input = [&](std::size_t i) { return values[static_cast<std::size_t>(step.inputs[i])]; };
      switch (step.kind) {
        case nas::StepKind::layer:
          values.push_back(
              layer(plan.layers[static_cast<std::size_t>(step.layer)], input(0), step.inputs[0] != 0));
          break;
        case nas::StepKind::add:
          values.push_back(sum(input(0)));
          break;
        case nas::StepKind::concat:
          values.push_back(concat(input(0), input(1)));
          break;
        case nas::StepKind::channel_scale:
          values.push_back(channel_scale(input(0), input(1)));
          break;
        case nas::StepKind::global_pool:
          values.push_back(global_pool(input(0)));
          break;
      }
    }
    linear(plan.classifier_inputs, plan.task.classes);
  }

  std::vector<KernelCase> take(std::int64_t networks) {
    std::vector<KernelCase> cases;
    for (auto& [key, found] : cases_) {
      found.calls /= static_cast<double>(networks);
      cases.push_back(std::move(found));
    }
    return cases;
  }

 private:
  Shape image_shape(std::int64_t size, std::int64_t channels) const {
    return Shape{batch_, size, size, channels};
  }

  void count(KernelCase found) {
    KernelCase& known = cases_[found.method + " " + found.shape];
    found.calls = known.calls + 1;
    known = std::move(found);
  }

  Shape layer(const nas::LayerSpec& layer, const Shape& x, bool input_needs_gradient) {
    const Shape y = image_shape(layer.out_size, layer.out_channels);
    if (!layer.norm) {  // squeeze and excite: one pixel, a bias
      linear(layer.in_channels, layer.out_channels);
      return y;
    }
    convolution(layer.conv, x, layer.kernel_shape(), y, layer.act, input_needs_gradient);
    batch_norm_backward(y, layer.act);
    return y;
  }

  void convolution(const Conv2d& conv, const Shape& x, const Shape& w, const Shape& y, Activation act,
                   bool input_gradient) {
    const std::string shape = fmt::format("{}{}x{} s{} {} -> {}", conv.depthwise ? "depthwise " : "", w[1],
                                          w[2], conv.stride, x.text(), w[0]);
    const double flops = 2.0 * static_cast<double>(y.elements() * w[1] * w[2] * w[3]);
    const Shape c{y.back()};
    count({"conv2d_batch_norm_forward",
           fmt::format("{} {}", shape, name_of(act)),
           {x, w, c, c, y, y, c, c},
           flops,
           true,
           [=](Backend& backend, const Tensors& t) {
             backend.conv2d_batch_norm_forward(conv, t[0], t[1], t[2], t[3], epsilon, act, t[4], t[5], t[6],
                                               t[7]);
           },
           [=](Backend& backend, const Tensors& t) {
             backend.conv2d_forward(conv, t[0], t[1], t[4]);
             backend.batch_norm_forward(t[4], t[2], t[3], epsilon, act, t[5], t[6], t[7]);
           }});
    count({"conv2d_wgrad", shape, {x, y, w}, flops, true, [conv](Backend& backend, const Tensors& t) {
             backend.conv2d_wgrad(conv, t[0], t[1], t[2], GradMode::accumulate);
           }});
    if (!input_gradient) return;
    count({"conv2d_dgrad", shape, {y, w, x}, flops, true, [conv](Backend& backend, const Tensors& t) {
             backend.conv2d_dgrad(conv, t[0], t[1], t[2], GradMode::overwrite);
           }});
  }

  void batch_norm_backward(const Shape& x, Activation act) {
    const std::string shape = fmt::format("{} {}", x.text(), name_of(act));
    const Shape c{x.back()};
    count({"batch_norm_backward",
           shape,
           {x, x, c, c, c, c, x, c, c},
           0,
           false,
           [=](Backend& backend, const Tensors& t) {
             backend.batch_norm_backward(t[0], t[1], t[2], t[3], t[4], t[5], epsilon, act, t[6],
                                         GradMode::overwrite, t[7], GradMode::accumulate, t[8],
                                         GradMode::accumulate);
           }});
  }

  // y (batch, out) = x (batch, in) w^T (out, in), and both gradients.
  void linear(std::int64_t in, std::int64_t out) {
    const Shape x{batch_, in}, w{out, in}, y{batch_, out}, bias{out};
    product({.transpose_b = true}, x, w, bias, y, in, GradMode::overwrite);
    product({.transpose_a = true}, y, x, Shape{0}, w, batch_, GradMode::accumulate);
    product({}, y, w, Shape{0}, x, out, GradMode::overwrite);
  }

  void product(const Gemm& spec, const Shape& a, const Shape& b, const Shape& bias, const Shape& c,
               std::int64_t k, GradMode mode) {
    const std::string shape = fmt::format("{}{} x {}{} x {}", c[0], spec.transpose_a ? " (A^T)" : "", c[1],
                                          spec.transpose_b ? " (B^T)" : "", k);
    const double flops = 2.0 * static_cast<double>(c.elements() * k);
    count({"gemm", shape, {a, b, bias, c}, flops, true, [=](Backend& backend, const Tensors& t) {
             backend.gemm(spec, t[0], t[1], t[2].elements() == 0 ? Tensor() : t[2], Activation::none, t[3],
                          mode);
           }});
  }

  Shape sum(const Shape& x) {
    count({"add", x.text(), {x, x, x}, 0, false, [](Backend& backend, const Tensors& t) {
             backend.add(t[0], t[1], t[2]);
           }});
    return x;
  }

  Shape concat(const Shape& a, const Shape& b) {
    const Shape y{a[0], a[1], a[2], a[3] + b[3]};
    count({"concat_forward",
           fmt::format("{} | {}", a.text(), b[3]),
           {a, b, y},
           0,
           false,
           [](Backend& backend, const Tensors& t) { backend.concat_forward(t[0], t[1], t[2]); }});
    return y;
  }

  Shape channel_scale(const Shape& x, const Shape& s) {
    count({"channel_scale_forward", x.text(), {x, s, x}, 0, false, [](Backend& backend, const Tensors& t) {
             backend.channel_scale_forward(t[0], t[1], t[2]);
           }});
    count({"channel_scale_backward",
           x.text(),
           {x, x, s, x, s},
           0,
           false,
           [](Backend& backend, const Tensors& t) {
             backend.channel_scale_backward(t[0], t[1], t[2], t[3], GradMode::overwrite, t[4],
                                            GradMode::overwrite);
           }});
    return x;
  }

  Shape global_pool(const Shape& x) {
    const Shape y = Shape{x[0], 1, 1, x[3]};
    count({"global_pool_forward", x.text(), {x, y}, 0, false, [](Backend& backend, const Tensors& t) {
             backend.global_pool_forward(t[0], t[1]);
           }});
    count({"global_pool_backward", x.text(), {y, x}, 0, false, [](Backend& backend, const Tensors& t) {
             backend.global_pool_backward(t[0], t[1], GradMode::overwrite);
           }});
    return y;
  }

  std::int64_t batch_;
  std::map<std::string, KernelCase> cases_;  // by method and shape
};

}  // namespace

double KernelCase::bytes() const {
  double bytes = 0;
  for (const Shape& operand : operands) bytes += static_cast<double>(operand.elements()) * sizeof(float);
  return bytes;
}

std::vector<KernelCase> sample_kernels(const nas::SearchSpace& space, const nas::Task& task,
                                       std::int64_t batch, std::int64_t networks, std::uint64_t seed) {
  Collector collector(batch);
  for (std::int64_t i = 0; i < networks; ++i) {
    Random random(seed, Purpose::architecture, static_cast<std::uint64_t>(i));
    collector.add(nas::plan_network(space.sample(random), task));
  }
  return collector.take(networks);
}

}  // namespace adwp::bench
