#include "nas/weights/parameter_weights.h"

#include "framework/core/error.h"

namespace adwp::nas {

using nn::Decay;
using nn::Initial;

TrainedWeights::Numbers TrainedWeights::add_layer(const LayerSpec& layer) {
  const Shape channels{layer.out_channels};
  Numbers numbers{};
  numbers.kernel =
      store_.add(layer.name + ".kernel", layer.kernel_shape(), Decay::yes, Initial::he(layer.fan_in()));
  numbers.scale =
      layer.norm ? store_.add(layer.name + ".scale", channels, Decay::no, Initial::constant(1)) : -1;
  numbers.shift =
      store_.add(layer.name + (layer.norm ? ".shift" : ".bias"), channels, Decay::no, Initial::constant(0));
  return numbers;
}

TrainedWeights::Classifier TrainedWeights::add_classifier(const std::string& name, std::int64_t classes,
                                                          std::int64_t inputs) {
  // Half the usual deviation: the first predictions are near uniform.
  const float deviation = 0.5f * Initial::he(2 * inputs).scale;
  const int weight =
      store_.add(name + ".weight", Shape{classes, inputs}, Decay::yes, Initial::normal(deviation));
  return {weight, store_.add(name + ".bias", Shape{classes}, Decay::no, Initial::constant(0))};
}

TrainedWeights::TrainedWeights(Arena& arena, const NetworkPlan& plan, std::uint64_t seed,
                               const LayerSpec* auxiliary) {
  for (const LayerSpec& layer : plan.layers) layers_.push_back(add_layer(layer));
  classifier_ = add_classifier("classifier", plan.task.classes, plan.classifier_inputs);
  if (auxiliary != nullptr) {
    layers_.push_back(add_layer(*auxiliary));
    auxiliary_ = add_classifier("auxiliary.classifier", plan.task.classes, auxiliary->out_channels);
  }
  store_.build(arena, seed);
}

NetworkWeights TrainedWeights::weights(Tape&, const NetworkPlan& plan) {
  const std::size_t layers = layers_.size() - (auxiliary_.weight < 0 ? 0 : 1);
  require(plan.layers.size() == layers, "trained weights",
          "weights of another network, got {} layers, expected {}", plan.layers.size(), layers);
  return assembled([this](int number) { return store_[number]; });
}

NetworkWeights TrainedWeights::weights_in(const Tensor& values) const {
  return assembled([&](int number) {
    const nn::ParameterStore::Entry& entry = store_.entry(number);
    return Variable::constant(values.view(entry.offset, entry.shape));
  });
}

std::vector<std::pair<std::string, Tensor>> TrainedWeights::parts_of(const Tensor& values) const {
  std::vector<std::pair<std::string, Tensor>> parts;
  for (const nn::ParameterStore::Entry& entry : store_.entries()) {
    parts.emplace_back(entry.name, values.view(entry.offset, entry.shape));
  }
  return parts;
}

NetworkWeights TrainedWeights::assembled(const std::function<Variable(int)>& parameter) const {
  NetworkWeights weights;
  for (const Numbers& numbers : layers_) {
    weights.layers.push_back({parameter(numbers.kernel),
                              numbers.scale < 0 ? Variable() : parameter(numbers.scale),
                              parameter(numbers.shift)});
  }
  weights.classifier = parameter(classifier_.weight);
  weights.classifier_bias = parameter(classifier_.bias);
  if (auxiliary_.weight >= 0) {
    weights.auxiliary = {weights.layers.back(), parameter(auxiliary_.weight), parameter(auxiliary_.bias)};
    weights.layers.pop_back();
  }
  return weights;
}

}  // namespace adwp::nas
