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

bool is_norm_layer(const NetworkPlan& plan, int s) {
  const Step& step = plan.steps[s];
  return step.kind == StepKind::layer && plan.layers[step.layer].norm;
}

// Steps of a plan that are computed as one with given statistics: layers with norms in a row, none of whose
// values is read elsewhere, and the sum behind the last one.
struct Chain {
  int end = 0;  // the first step behind it
  std::vector<ConvChain::Layer> layers;
  int residual = -1;  // the value that is added
};

Chain chain_from(const NetworkPlan& plan, int first, const NetworkWeights& weights,
                 const std::vector<ops::BatchStatistics>& given) {
  Chain chain{.end = first};
  // Whether step s alone reads what the chain gives so far.
  const auto goes_on = [&](int s) {
    const int value = plan.steps[s - 1].output;
    return s < std::ssize(plan.steps) && plan.last_use[value] == s &&
           std::ranges::count(plan.steps[s].inputs, value) == 1;
  };
  do {
    const int index = plan.steps[chain.end++].layer;
    const LayerSpec& layer = plan.layers[index];
    const LayerWeights& w = weights.layers[index];
    chain.layers.push_back({layer.conv, w.kernel.value(), given[index].mean, given[index].var,
                            w.scale.value(), w.shift.value(), layer.act});
  } while (goes_on(chain.end) && is_norm_layer(plan, chain.end));
  if (goes_on(chain.end) && plan.steps[chain.end].kind == StepKind::add) {
    const std::vector<int>& inputs = plan.steps[chain.end].inputs;
    chain.residual = inputs[inputs[0] == plan.steps[chain.end - 1].output ? 1 : 0];
    ++chain.end;
  }
  return chain;
}

Variable masked(Tape& tape, const Variable& x, const Tensor& mask) {
  return mask.defined() ? ops::channel_scale(tape, x, Variable::constant(mask)) : x;
}

Variable compute_step(Tape& tape, const NetworkPlan& plan, const Step& step, const NetworkWeights& weights,
                      const std::vector<Variable>& values, std::vector<ops::BatchStatistics>* collect,
                      const Tensor& path) {
  const auto input = [&](std::size_t i) -> const Variable& { return values[step.inputs[i]]; };
  switch (step.kind) {
    case StepKind::layer: {
      const LayerSpec& layer = plan.layers[step.layer];
      const LayerWeights& w = weights.layers[step.layer];
      if (!layer.norm) return bias_layer(tape, layer, w, input(0));
      return ops::conv2d_batch_norm(tape, layer.conv, input(0), w.kernel, w.scale, w.shift, layer.act,
                                    collect != nullptr ? &(*collect)[step.layer] : nullptr);
    }
    case StepKind::add:
      return ops::add(tape, masked(tape, input(0), path), input(1));
    case StepKind::concat:
      return ops::concat(tape, input(0), input(1));
    case StepKind::channel_scale:
      return ops::channel_scale(tape, input(0), input(1));
    case StepKind::global_pool:
      return ops::global_pool(tape, input(0));
  }
  return {};
}

}  // namespace

Variable forward(Tape& tape, const NetworkPlan& plan, const NetworkWeights& weights, const Tensor& images,
                 const NormMode& norm, const Drops& drops, Wanted* wanted) {
  const Task& task = plan.task;
  const std::int64_t size = images.shape()[1];
  require(images.shape() == Shape{images.shape()[0], size, size, task.channels} && size <= task.image_size,
          "macro-network", "images do not fit, got {}, expected (N, {}, {}, {}) or smaller squares",
          images.text(), task.image_size, task.image_size, task.channels);
  if (norm.collect != nullptr) norm.collect->resize(plan.layers.size());

  std::vector<Variable> values(plan.steps.size() + 1);
  values[0] = Variable::constant(images);
  for (int s = 0; s < std::ssize(plan.steps);) {
    const int first = s;
    if (norm.given != nullptr && is_norm_layer(plan, s)) {
      const Chain chain = chain_from(plan, s, weights, *norm.given);
      s = chain.end;
      values[plan.steps[s - 1].output] =
          ops::conv2d_chain(tape, chain.layers, values[plan.steps[first].inputs[0]],
                            chain.residual >= 0 ? values[chain.residual] : Variable());
    } else {
      const Step& step = plan.steps[s++];
      const Tensor path = drops.paths.empty() ? Tensor() : drops.paths[first];  // a mask of the branch
      values[step.output] = compute_step(tape, plan, step, weights, values, norm.collect, path);
    }
    if (wanted != nullptr && plan.steps[s - 1].output == wanted->number) {
      wanted->value = values[wanted->number];
    }
    for (int done = first; done < s; ++done) {
      for (const int value : plan.steps[done].inputs) {
        if (plan.last_use[value] < s) values[value] = {};
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
