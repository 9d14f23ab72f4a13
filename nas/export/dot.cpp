#include <fmt/core.h>

#include "nas/export/export.h"

namespace adwp::nas {
namespace {

struct Value {
  std::int64_t channels, size;
};

// Channels and pixels of every value of the plan.
std::vector<Value> shapes_of(const NetworkPlan& plan) {
  std::vector<Value> values(plan.steps.size() + 1);
  values[0] = {plan.task.channels, plan.task.image_size};
  for (const Step& step : plan.steps) {
    const auto input = [&](std::size_t i) { return values[step.inputs[i]]; };
    Value& output = values[step.output];
    output = input(0);
    if (step.kind == StepKind::concat) output.channels += input(1).channels;
    if (step.kind == StepKind::global_pool) output.size = 1;
    if (step.kind == StepKind::layer) {
      const LayerSpec& layer = plan.layers[step.layer];
      output = {layer.out_channels, layer.out_size};
    }
  }
  return values;
}

std::string label_of(const LayerSpec& layer) {
  std::string text = fmt::format("{}\\n{}x{}{}", layer.name, layer.conv.kernel, layer.conv.kernel,
                                 layer.conv.depthwise ? " depthwise" : "");
  if (layer.conv.stride > 1) text += fmt::format(", stride {}", layer.conv.stride);
  if (layer.act != Activation::none) text += fmt::format(", {}", name_of(layer.act));
  return text;
}

const char* label_of(StepKind kind) {
  switch (kind) {
    case StepKind::add:
      return "+";
    case StepKind::concat:
      return "concat";
    case StepKind::channel_scale:
      return "scale";
    case StepKind::global_pool:
      return "pool";
    case StepKind::layer:
      break;
  }
  return "?";
}

// The stage in whose cluster a step belongs: its own layer's, or that of the layers before it.
std::vector<int> stages_of(const NetworkPlan& plan) {
  std::vector<int> stages;
  int stage = -1;
  for (const Step& step : plan.steps) {
    if (step.kind == StepKind::layer) stage = plan.layers[step.layer].stage;
    stages.push_back(stage);
  }
  stages.back() = plan.architecture.stages.size();  // the last pool is the head's
  return stages;
}

}  // namespace

std::string to_dot(const NetworkPlan& plan) {
  const std::vector<Value> values = shapes_of(plan);
  const std::vector<int> stages = stages_of(plan);
  const int last_stage = plan.architecture.stages.size();
  std::string text =
      fmt::format("digraph \"{}\" {{\n  node [shape=box fontname=\"sans-serif\"];\n", plan.architecture.id());
  text += fmt::format("  v0 [label=\"images\\n{0} x {0} x {1}\" shape=plaintext];\n", plan.task.image_size,
                      plan.task.channels);
  int open = -1;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    if (stages[s] != open) {
      if (open >= 0 && open < last_stage) text += "  }\n";
      open = stages[s];
      if (open < last_stage) text += fmt::format("  subgraph cluster_{0} {{\n  label=\"stage {0}\";\n", open);
    }
    if (step.kind == StepKind::layer) {
      const Value& value = values[step.output];
      text += fmt::format("  v{} [label=\"{}\\n{} x {} x {}\"];\n", step.output,
                          label_of(plan.layers[step.layer]), value.size, value.size, value.channels);
    } else {
      text += fmt::format("  v{} [label=\"{}\" shape=ellipse];\n", step.output, label_of(step.kind));
    }
  }
  if (open >= 0 && open < last_stage) text += "  }\n";
  text += fmt::format("  classifier [label=\"linear\\n{}\"];\n", plan.task.classes);
  for (const Step& step : plan.steps) {
    for (int input : step.inputs) text += fmt::format("  v{} -> v{};\n", input, step.output);
  }
  return text + fmt::format("  v{} -> classifier;\n}}\n", plan.steps.back().output);
}

}  // namespace adwp::nas
