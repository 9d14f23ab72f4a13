#include "nas/network/auxiliary_head.h"

#include <algorithm>

#include "framework/core/error.h"

namespace adwp::nas {
namespace {

constexpr std::int64_t width = 128;

// The step that ends the block of the layer of step `s`, the last of that block: behind it may come the
// gate of squeeze and excite, and the sum with the residual.
int end_of_block(const NetworkPlan& plan, int s) {
  while (plan.steps[s + 1].kind == StepKind::channel_scale || plan.steps[s + 1].residual) ++s;
  return s;
}

}  // namespace

AuxiliaryHead auxiliary_head(const NetworkPlan& plan) {
  std::vector<int> last;  // per block, the step of its last layer
  const LayerSpec* before = nullptr;
  const int stages = std::ssize(plan.architecture.stages);
  for (int s = 0; s < std::ssize(plan.steps); ++s) {
    if (plan.steps[s].kind != StepKind::layer) continue;
    const LayerSpec& layer = plan.layers[plan.steps[s].layer];
    if (layer.stage < 0 || layer.stage >= stages) continue;
    if (before == nullptr || before->stage != layer.stage || before->block != layer.block) last.push_back(s);
    last.back() = s;
    before = &layer;
  }
  require(!last.empty(), "auxiliary head", "a network without blocks has no place for it");
  const int step = last[(2 * last.size() + 2) / 3 - 1];
  const LayerSpec& end = plan.layers[plan.steps[step].layer];
  AuxiliaryHead head;
  head.value = plan.steps[end_of_block(plan, step)].output;
  head.layer.name = "auxiliary";
  head.layer.conv = {.kernel = 3, .stride = 2, .padding = 1};
  head.layer.in_channels = end.out_channels;
  head.layer.out_channels = width;
  head.layer.act = plan.architecture.activation;
  return head;
}

Variable auxiliary_logits(Tape& tape, const AuxiliaryHead& head, const AuxiliaryWeights& weights,
                          const Variable& value) {
  const LayerWeights& w = weights.layer;
  const Variable y = ops::conv2d_batch_norm(tape, head.layer.conv, value, w.kernel, w.scale, w.shift,
                                            head.layer.act, nullptr);
  const Variable pooled = ops::global_pool(tape, y).reshaped(Shape{value.shape()[0], width});
  return ops::linear(tape, pooled, weights.classifier, weights.classifier_bias);
}

}  // namespace adwp::nas
