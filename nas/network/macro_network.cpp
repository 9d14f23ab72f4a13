#include "nas/network/macro_network.h"

#include <algorithm>
#include <numeric>

#include "framework/core/error.h"

namespace adwp::nas {
namespace {

// A convolution on a single pixel with a bias: squeeze and excite. (N, 1, 1, C) -> (N, 1, 1, K).
Variable bias_layer(Tape& tape, const LayerSpec& layer, const LayerWeights& w, const Variable& x) {
  const std::int64_t n = x.shape()[0];
  const Variable rows = x.reshaped(Shape{n, layer.in_channels});
  const Variable kernel = w.kernel.reshaped(Shape{layer.out_channels, layer.in_channels});
  const Variable y = ops::linear(tape, rows, kernel, w.shift, layer.act);
  return y.reshaped(Shape{n, 1, 1, layer.out_channels});
}

Variable norm_layer(Tape& tape, const LayerSpec& layer, const LayerWeights& w, const Variable& x,
                    const ops::BatchStatistics* given, ops::BatchStatistics* collect) {
  if (given != nullptr) {
    const Variable y = ops::conv2d(tape, layer.conv, x, w.kernel);
    return ops::batch_norm_inference(tape, y, *given, w.scale, w.shift, layer.act);
  }
  return ops::conv2d_batch_norm(tape, layer.conv, x, w.kernel, w.scale, w.shift, layer.act, collect);
}

Variable masked(Tape& tape, const Variable& x, const Tensor& mask) {
  return mask.defined() ? ops::channel_scale(tape, x, Variable::constant(mask)) : x;
}

}  // namespace

Variable forward(Tape& tape, const NetworkPlan& plan, const NetworkWeights& weights, const Tensor& images,
                 const NormMode& norm, const Drops& drops) {
  const Task& task = plan.task;
  require(images.shape() == Shape{images.shape()[0], task.image_size, task.image_size, task.channels},
          "macro-network", "images do not fit, got {}, expected (N, {}, {}, {})", images.text(),
          task.image_size, task.image_size, task.channels);
  if (norm.collect != nullptr) norm.collect->resize(plan.layers.size());

  std::vector<Variable> values(plan.steps.size() + 1);
  values[0] = Variable::constant(images);
  for (int s = 0; s < std::ssize(plan.steps); ++s) {
    const Step& step = plan.steps[s];
    auto input = [&](std::size_t i) -> const Variable& { return values[step.inputs[i]]; };
    Variable& output = values[step.output];
    switch (step.kind) {
      case StepKind::layer: {
        const int index = step.layer;
        const LayerSpec& layer = plan.layers[index];
        output = layer.norm ? norm_layer(tape, layer, weights.layers[index], input(0),
                                         norm.given ? &(*norm.given)[index] : nullptr,
                                         norm.collect ? &(*norm.collect)[index] : nullptr)
                            : bias_layer(tape, layer, weights.layers[index], input(0));
        break;
      }
      case StepKind::add:
        output =
            ops::add(tape, masked(tape, input(0), drops.paths.empty() ? Tensor() : drops.paths[s]), input(1));
        break;
      case StepKind::concat:
        output = ops::concat(tape, input(0), input(1));
        break;
      case StepKind::channel_scale:
        output = ops::channel_scale(tape, input(0), input(1));
        break;
      case StepKind::global_pool:
        output = ops::global_pool(tape, input(0));
        break;
    }
    for (int value : step.inputs) {
      if (plan.last_use[value] == s) {
        values[value] = {};
      }
    }
  }
  const Variable pooled = masked(tape, values[plan.steps.back().output], drops.features)
                              .reshaped(Shape{images.shape()[0], plan.classifier_inputs});
  return ops::linear(tape, pooled, weights.classifier, weights.classifier_bias);
}

RunningStatistics::RunningStatistics(Arena& arena, const NetworkPlan& plan) {
  for (const LayerSpec& layer : plan.layers) channels_.push_back(layer.norm ? layer.out_channels : 0);
  const std::int64_t channels = std::accumulate(channels_.begin(), channels_.end(), std::int64_t{0});
  flat_ = Tensor(arena, Shape{2 * channels});
  layers_ = views(flat_);
  reset();
}

std::vector<ops::BatchStatistics> RunningStatistics::views(const Tensor& flat) const {
  require(flat.elements() == flat_.elements(), "statistics", "{} numbers, expected {}", flat.elements(),
          flat_.elements());
  std::vector<ops::BatchStatistics> layers;
  std::int64_t offset = 0;
  for (const std::int64_t channels : channels_) {
    layers.emplace_back();
    if (channels == 0) continue;
    const Shape shape{channels};
    layers.back() = {flat.view(offset, shape), flat.view(flat.elements() / 2 + offset, shape)};
    offset += channels;
  }
  return layers;
}

void RunningStatistics::reset() {
  std::vector<float> values(flat_.elements(), 0.0f);
  std::fill(values.begin() + values.size() / 2, values.end(), 1.0f);
  flat_.copy_from_host(std::span<const float>(values));
}

void RunningStatistics::update(Backend& backend, const Tensor& batch, float momentum) {
  backend.compute(Lerp{batch, momentum, flat_});
}

}  // namespace adwp::nas
