#include "nas/weights/parameter_weights.h"

#include <algorithm>

#include "framework/core/error.h"
#include "framework/ops/ops.h"
#include "nas/weights/weight_source.h"

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

void SharedWeights::register_positions(const SearchSpace& space, const Task& task) {
  for (const Architecture& network : space.widest_networks()) {
    const NetworkPlan plan = plan_network(network, task);
    for (const LayerSpec& layer : plan.layers) {
      auto [entry, is_new] = positions_.try_emplace(position_of(layer, network));
      Position& position = entry->second;
      position.kernel = is_new ? layer.kernel_shape() : largest(position.kernel, layer.kernel_shape());
      position.second = std::max(position.second, layer.first_channels);
      position.norm = layer.norm;
    }
    classifier_inputs_ = std::max(classifier_inputs_, plan.classifier_inputs);
  }
}

SharedWeights::SharedWeights(Arena& arena, const SearchSpace& space, const Task& task, std::uint64_t seed) {
  register_positions(space, task);
  for (auto& [name, position] : positions_) {
    const Shape& kernel = position.kernel;
    const Shape channels{kernel[0]};
    position.kernel_number =
        store_.add(name + ".kernel", kernel, Decay::yes, Initial::he(kernel[1] * kernel[2] * kernel[3]));
    if (position.norm) {
      position.scale_number = store_.add(name + ".scale", channels, Decay::no, Initial::constant(1));
    }
    position.shift_number = store_.add(name + ".shift", channels, Decay::no, Initial::constant(0));
  }
  classifier_ = store_.add("classifier.weight", Shape{task.classes, classifier_inputs_}, Decay::yes,
                           Initial::normal(0.5f * Initial::he(2 * classifier_inputs_).scale));
  classifier_bias_ = store_.add("classifier.bias", Shape{task.classes}, Decay::no, Initial::constant(0));
  store_.build(arena, seed);
}

NetworkWeights SharedWeights::weights(Tape& tape, const NetworkPlan& plan) {
  const WeightLayout layout(plan);
  std::vector<TilePiece> pieces;
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const LayerSpec& layer = plan.layers[i];
    auto found = positions_.find(position_of(layer, plan.architecture));
    require(found != positions_.end(), "shared weights",
            "no weights for {} of architecture {}; it is not of this search space", layer.name,
            plan.architecture.id());
    const Position& position = found->second;
    const WeightLayout::Offsets& to = layout.layer(i);
    const Shape& kernel = position.kernel;
    const std::int64_t taps = kernel[1] * kernel[2];
    const std::int64_t columns = layer.kernel_shape()[3];
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
        piece.target_cols = columns;
        pieces.push_back(piece);
      }
    }
  }
  pieces.push_back(slice(store_.entry(classifier_).offset, plan.task.classes, classifier_inputs_, 1,
                         plan.task.classes, plan.classifier_inputs, layout.classifier()));

  const Variable source = store_.flat();
  const Tensor list = upload(tape, pieces);
  const Variable flat = ops::assemble(tape, std::span(&source, 1), std::span(&list, 1), layout.elements());
  NetworkWeights weights = layout.views(flat, plan);
  weights.classifier_bias = store_[classifier_bias_];
  return weights;
}

using nn::Decay;
using nn::Initial;

TrainedWeights::TrainedWeights(Arena& arena, const NetworkPlan& plan, std::uint64_t seed) {
  for (const LayerSpec& layer : plan.layers) {
    const Shape channels{layer.out_channels};
    Numbers numbers{};
    numbers.kernel =
        store_.add(layer.name + ".kernel", layer.kernel_shape(), Decay::yes, Initial::he(layer.fan_in()));
    numbers.scale =
        layer.norm ? store_.add(layer.name + ".scale", channels, Decay::no, Initial::constant(1)) : -1;
    numbers.shift =
        store_.add(layer.name + (layer.norm ? ".shift" : ".bias"), channels, Decay::no, Initial::constant(0));
    layers_.push_back(numbers);
  }
  const std::int64_t inputs = plan.classifier_inputs;
  // Half the usual deviation: the first predictions are near uniform.
  const float deviation = 0.5f * Initial::he(2 * inputs).scale;
  classifier_ = store_.add("classifier.weight", Shape{plan.task.classes, inputs}, Decay::yes,
                           Initial::normal(deviation));
  classifier_bias_ = store_.add("classifier.bias", Shape{plan.task.classes}, Decay::no, Initial::constant(0));
  store_.build(arena, seed);
}

NetworkWeights TrainedWeights::weights(Tape&, const NetworkPlan& plan) {
  require(plan.layers.size() == layers_.size(), "trained weights",
          "weights of another network, got {} layers, expected {}", plan.layers.size(), layers_.size());
  NetworkWeights weights;
  for (const Numbers& numbers : layers_) {
    weights.layers.push_back({store_[numbers.kernel], numbers.scale < 0 ? Variable() : store_[numbers.scale],
                              store_[numbers.shift]});
  }
  weights.classifier = store_[classifier_];
  weights.classifier_bias = store_[classifier_bias_];
  return weights;
}

}  // namespace adwp::nas
