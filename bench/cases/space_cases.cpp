#include "bench/cases/space_cases.h"

#include <map>

namespace adwp::bench {
namespace {

// The operators of a training step, one after the other; `on_images`: the first operand is the batch of
// images.
using Visit = std::function<void(const OperatorCase&, bool on_images)>;

void visit_operators(const nas::NetworkPlan& plan, std::int64_t batch, const Visit& visit) {
  const nas::Task& task = plan.task;
  std::vector<Shape> values{Shape{batch, task.image_size, task.image_size, task.channels}};
  for (const nas::Step& step : plan.steps) {
    const Shape x = values[static_cast<std::size_t>(step.inputs[0])];
    auto second = [&] { return values[static_cast<std::size_t>(step.inputs[1])]; };
    Shape y = x;
    switch (step.kind) {
      case nas::StepKind::layer: {
        const nas::LayerSpec& layer = plan.layers[static_cast<std::size_t>(step.layer)];
        y = Shape{batch, layer.out_size, layer.out_size, layer.out_channels};
        // Without a norm: squeeze and excite, a convolution of one pixel.
        visit(layer.norm ? conv2d_batch_norm(layer.conv, x, layer.out_channels, layer.act)
                         : linear(batch, layer.in_channels, layer.out_channels, true, Activation::none),
              step.inputs[0] == 0);
        break;
      }
      case nas::StepKind::add:
        visit(add(x), false);
        break;
      case nas::StepKind::concat:
        visit(concat(x, second()[3]), false);
        y = Shape{x[0], x[1], x[2], x[3] + second()[3]};
        break;
      case nas::StepKind::channel_scale:
        visit(channel_scale(x), false);
        break;
      case nas::StepKind::global_pool:
        visit(global_pool(x), false);
        y = Shape{x[0], 1, 1, x[3]};
        break;
    }
    values.push_back(y);
  }
  visit(linear(batch, plan.classifier_inputs, task.classes, true, Activation::none), false);
}

Kernel::Facts facts_of(const Kernel& kernel, Backend& backend) {
  Arena arena = Arena::counting(backend);
  Tensors operands;
  for (const Shape& shape : kernel.operands) operands.emplace_back(arena, shape);
  return kernel.facts(operands);
}

}  // namespace

std::vector<SpaceKernel> sample_kernels(Backend& backend, const nas::SearchSpace& space,
                                        const nas::Task& task, std::int64_t batch, std::int64_t networks,
                                        std::uint64_t seed) {
  std::map<std::string, SpaceKernel> found;  // by method and shape
  for (std::int64_t i = 0; i < networks; ++i) {
    Random random(seed, Purpose::architecture, static_cast<std::uint64_t>(i));
    visit_operators(plan_network(space.sample(random), task), batch,
                    [&](const OperatorCase& c, bool on_images) {
                      for (const Kernel& kernel : c.kernels) {
                        if (kernel.input_gradient && on_images) continue;
                        const Kernel::Facts facts = facts_of(kernel, backend);
                        SpaceKernel& known =
                            found.try_emplace(facts.method + "/" + facts.shape, kernel, facts).first->second;
                        known.calls += 1.0 / static_cast<double>(networks);
                      }
                    });
  }
  std::vector<SpaceKernel> all;
  for (auto& [name, kernel] : found) all.push_back(std::move(kernel));
  return all;
}

}  // namespace adwp::bench
