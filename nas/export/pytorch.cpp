#include "nas/export/export.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "framework/version.h"

namespace adwp::nas {
namespace {

// Docstring; then fmt's {0} id, {1} version, {2} channels, {3} size.
constexpr const char* head = R"("""Network {0}, written by adwpnas {1}.

    network = load("network.safetensors")  # of: export --format safetensors
    logits = network(images)               # images (N, {2}, {3}, {3}): float, RGB, pixel / 255

Needs torch and safetensors. The normalisation of images is part of the network; load() returns it in
evaluation mode.
"""
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

)";

constexpr const char* layer_class = R"(

class Layer(nn.Module):
    """Convolution, then batch norm (or a bias), then an activation."""

    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1, norm=True, activation=None):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=not norm)
        self.norm = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.activation = activation or nn.Identity()

    def forward(self, x):
        return self.activation(self.norm(self.conv(x)))
)";

constexpr const char* loading = R"(

PARTS = {"kernel": "conv.weight", "bias": "conv.bias", "scale": "norm.weight", "shift": "norm.bias",
         "mean": "norm.running_mean", "var": "norm.running_var"}


def load(path):
    """The network with the weights of a safetensors file, in evaluation mode."""
    state = {}
    for name, tensor in load_file(path).items():
        layer, part = name.rsplit(".", 1)
        if part == "kernel":  # stored (out, k, k, in)
            tensor = tensor.permute(0, 3, 1, 2).contiguous()
        if layer != "classifier":
            part = PARTS[part]
        state[layer.replace(".", "_") + "." + part] = tensor
    network = Network()
    missing, unexpected = network.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"{path} is of another network: missing {missing}, unexpected {unexpected}")
    return network.eval()
)";

std::string attribute(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

const char* function_of(Activation act) {
  switch (act) {
    case Activation::none:
      return "None";
    case Activation::relu:
      return "F.relu";
    case Activation::silu:
      return "F.silu";
    case Activation::hard_swish:
      return "F.hardswish";
    case Activation::sigmoid:
      return "torch.sigmoid";
    case Activation::hard_sigmoid:
      return "F.hardsigmoid";
  }
  return "None";
}

std::string constructor_of(const LayerSpec& layer) {
  std::string text = fmt::format("        self.{} = Layer({}, {}", attribute(layer.name), layer.in_channels,
                                 layer.out_channels);
  if (layer.conv.kernel != 1) text += fmt::format(", kernel={}", layer.conv.kernel);
  if (layer.conv.stride != 1) text += fmt::format(", stride={}", layer.conv.stride);
  if (layer.conv.depthwise) text += fmt::format(", groups={}", layer.in_channels);
  if (!layer.norm) text += ", norm=False";
  if (layer.act != Activation::none) text += fmt::format(", activation={}", function_of(layer.act));
  return text + ")\n";
}

// The variables of forward(). A value's name is free for another once nobody reads it, so that PyTorch lets
// its memory go.
class Variables {
 public:
  explicit Variables(const NetworkPlan& plan) : plan_(plan), names_(plan.steps.size() + 1, -1) { take(0); }

  std::string name(int value) const { return fmt::format("x{}", names_[value]); }

  // `output = expression` of step `s`; steps come in order.
  std::string assignment(int s) {
    const Step& step = plan_.steps[s];
    const std::string expression = expression_of(step);
    for (int value : step.inputs) {
      if (plan_.last_use[value] == s) {
        taken_[names_[value]] = false;
      }
    }
    take(step.output);
    return name(step.output) + " = " + expression;
  }

 private:
  void take(int value) {
    std::size_t free = 0;
    while (free < taken_.size() && taken_[free]) ++free;
    taken_.resize(std::max(taken_.size(), free + 1));
    taken_[free] = true;
    names_[value] = free;
  }

  std::string expression_of(const Step& step) const {
    const auto x = [&](std::size_t i) { return name(step.inputs[i]); };
    switch (step.kind) {
      case StepKind::layer: {
        const LayerSpec& layer = plan_.layers[step.layer];
        return fmt::format("self.{}({})", attribute(layer.name), x(0));
      }
      case StepKind::add:
        return x(0) + " + " + x(1);
      case StepKind::concat:
        return fmt::format("torch.cat([{}, {}], 1)", x(0), x(1));
      case StepKind::channel_scale:
        return x(0) + " * " + x(1);
      case StepKind::global_pool:
        return x(0) + ".mean((2, 3), keepdim=True)";
    }
    return "None";
  }

  const NetworkPlan& plan_;
  std::vector<int> names_;   // of each value
  std::vector<bool> taken_;  // of each name
};

std::string buffer(const char* name, const float* values, std::int64_t channels) {
  std::string list;
  for (std::int64_t c = 0; c < channels; ++c) list += fmt::format("{}{}", c > 0 ? ", " : "", values[c]);
  return fmt::format(
      "        self.register_buffer(\"{}\", torch.tensor([{}]).view(1, -1, 1, 1), persistent=False)\n", name,
      list);
}

}  // namespace

std::string to_pytorch(const StoredNetwork& network) {
  const NetworkPlan& plan = network.plan;
  const Task& task = plan.task;
  std::string text =
      fmt::format(fmt::runtime(head), plan.architecture.id(), version, task.channels, task.image_size);
  // A JSON array of strings is a Python list.
  text += "CLASSES = " + network_facts(plan, network.norm, network.classes).at("classes") + "\n";
  text += layer_class;
  text += "\n\nclass Network(nn.Module):\n    def __init__(self):\n        super().__init__()\n";
  text += buffer("image_mean", network.norm.mean, task.channels);
  text += buffer("image_deviation", network.norm.deviation, task.channels);
  for (const LayerSpec& layer : plan.layers) text += constructor_of(layer);
  text += fmt::format("        self.classifier = nn.Linear({}, {})\n", plan.classifier_inputs, task.classes);
  text +=
      "\n    def forward(self, images):\n        x0 = (images - self.image_mean) / self.image_deviation\n";
  Variables variables(plan);
  for (int s = 0; s < std::ssize(plan.steps); ++s) {
    text += fmt::format("        {}\n", variables.assignment(s));
  }
  text += fmt::format("        return self.classifier({}.flatten(1))\n",
                      variables.name(plan.steps.back().output));
  return text + loading;
}

}  // namespace adwp::nas
