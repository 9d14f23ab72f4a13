#include "nas/training/drop_masks.h"

#include <algorithm>

namespace adwp::nas {

DropMasks::DropMasks(Backend& backend, Arena& arena, const NetworkPlan& plan, std::int64_t batch, float path,
                     float feature, std::uint64_t seed)
    : backend_(backend), keeps_(plan.steps.size(), 1.0f), keep_feature_(1 - feature), seed_(seed) {
  if (feature > 0) drops_.features = Tensor(arena, Shape{batch, 1, 1, plan.classifier_inputs});
  if (path <= 0) return;
  const float blocks =
      std::count_if(plan.steps.begin(), plan.steps.end(), [](const Step& s) { return s.residual; });
  drops_.paths.resize(plan.steps.size());
  std::vector<std::int64_t> channels(plan.steps.size() + 1);  // of each value that a layer makes
  int block = 0;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    channels[step.output] =
        step.kind == StepKind::layer ? plan.layers[step.layer].out_channels : channels[step.inputs[0]];
    if (!step.residual) continue;
    keeps_[s] = 1 - path * ++block / blocks;
    drops_.paths[s] = Tensor(arena, Shape{batch, 1, 1, channels[step.inputs[0]]});
  }
}

void DropMasks::draw(std::int64_t step) {
  const std::uint64_t number = step;
  if (drops_.features.defined()) {
    backend_.compute(DrawMask{keep_feature_, false, {seed_, number, 0}, drops_.features});
  }
  for (std::size_t s = 0; s < drops_.paths.size(); ++s) {
    if (!drops_.paths[s].defined()) continue;
    backend_.compute(
        DrawMask{keeps_[s], true, {seed_, number, static_cast<std::uint32_t>(s + 1)}, drops_.paths[s]});
  }
}

}  // namespace adwp::nas
