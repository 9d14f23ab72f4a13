#include "nas/weights/shared_kernels.h"

#include <algorithm>

#include "framework/core/error.h"
#include "framework/ops/ops.h"

namespace adwp::nas {
namespace {

using nn::Decay;
using nn::Initial;

std::string position_of(const LayerSpec& layer, const Architecture& architecture) {
  const bool in_block =
      layer.stage >= 0 && layer.stage < std::ssize(architecture.stages) && layer.role != LayerRole::join;
  if (!in_block) return layer.name;
  const Block& block = architecture.stages[layer.stage].blocks[layer.block];
  return layer.name + "/" + block.operation.text();
}

Shape largest(const Shape& a, const Shape& b) {
  return Shape{std::max(a[0], b[0]), a[1], a[2], std::max(a[3], b[3])};
}

}  // namespace

void SharedKernels::register_positions(const SearchSpace& space, const Task& task) {
  for (const Architecture& network : space.widest_networks()) {
    const NetworkPlan plan = plan_network(network, task);
    for (const LayerSpec& layer : plan.layers) {
      auto [entry, is_new] = positions_.try_emplace(position_of(layer, network));
      Position& position = entry->second;
      position.kernel = is_new ? layer.kernel_shape() : largest(position.kernel, layer.kernel_shape());
      position.second = std::max(position.second, layer.first_channels);
      position.norm = layer.norm;
      position.is_stem = layer.role == LayerRole::stem;
    }
    classifier_inputs_ = std::max(classifier_inputs_, plan.classifier_inputs);
  }
}

SharedKernels::SharedKernels(nn::ParameterStore& store, const SearchSpace& space, const Task& task,
                             const std::string& prefix, float start)
    : store_(store) {
  register_positions(space, task);
  for (auto& [position_name, position] : positions_) {
    const std::string name = prefix + position_name;
    const Shape& kernel = position.kernel;
    const Shape channels{kernel[0]};
    Initial initial = Initial::he(kernel[1] * kernel[2] * kernel[3]);
    if (!position.is_stem) initial.scale *= start;
    position.kernel_number = store.add(name + ".kernel", kernel, Decay::yes, initial);
    if (position.norm) {
      position.scale_number = store.add(name + ".scale", channels, Decay::no, Initial::constant(1));
    }
    position.shift_number = store.add(name + ".shift", channels, Decay::no, Initial::constant(0));
  }
  classifier_ = store.add(prefix + "classifier.weight", Shape{task.classes, classifier_inputs_}, Decay::yes,
                          Initial::normal(0.5f * Initial::he(2 * classifier_inputs_).scale));
  classifier_bias_ =
      store.add(prefix + "classifier.bias", Shape{task.classes}, Decay::no, Initial::constant(0));
}

void SharedKernels::cut_layer(const LayerSpec& layer, const Position& position,
                              const WeightLayout::Offsets& to, std::vector<TilePiece>& pieces) const {
  const Shape& kernel = position.kernel;
  const std::int64_t taps = kernel[1] * kernel[2];
  const std::int64_t source = store_.entry(position.kernel_number).offset;
  for (const ChannelRun& out : output_runs(layer, position.second)) {
    auto cut_vector = [&](int number, std::int64_t target) {
      pieces.push_back(slice(store_.entry(number).offset + out.origin, kernel[0] - out.origin, 1, 1,
                             out.count, 1, target + out.begin));
    };
    if (position.norm) cut_vector(position.scale_number, to.scale);
    cut_vector(position.shift_number, to.shift);
    if (layer.conv.depthwise) {
      pieces.push_back(slice(source + out.origin * taps, kernel[0] - out.origin, 1, taps, out.count, 1,
                             to.kernel + out.begin * taps));
      continue;
    }
    for (const ChannelRun& in : input_runs(layer, position.second)) {
      TilePiece piece =
          slice(source + in.origin, kernel[0], kernel[3], taps, out.count, in.count, to.kernel + in.begin);
      piece.target_cols = layer.kernel_shape()[3];
      pieces.push_back(piece);
    }
  }
}

std::vector<TilePiece> SharedKernels::pieces(const NetworkPlan& plan, const WeightLayout& layout) const {
  std::vector<TilePiece> pieces;
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const LayerSpec& layer = plan.layers[i];
    auto found = positions_.find(position_of(layer, plan.architecture));
    require(found != positions_.end(), "shared weights",
            "no weights for {} of architecture {}; it is not of this search space", layer.name,
            plan.architecture.id());
    cut_layer(layer, found->second, layout.layer(i), pieces);
  }
  pieces.push_back(slice(store_.entry(classifier_).offset, plan.task.classes, classifier_inputs_, 1,
                         plan.task.classes, plan.classifier_inputs, layout.classifier()));
  return pieces;
}

NetworkWeights SharedKernels::weights(Tape& tape, const NetworkPlan& plan) const {
  const WeightLayout layout(plan);
  const ops::Part all{store_.flat(), upload(tape, pieces(plan, layout))};
  NetworkWeights weights = layout.views(ops::assemble(tape, std::span(&all, 1), layout.end()), plan);
  weights.classifier_bias = classifier_bias();
  return weights;
}

}  // namespace adwp::nas
