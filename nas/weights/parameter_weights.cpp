#include "nas/weights/parameter_weights.h"

#include "framework/core/error.h"

namespace adwp::nas {

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
  weights.classifier = parameter(classifier_);
  weights.classifier_bias = parameter(classifier_bias_);
  return weights;
}

}  // namespace adwp::nas
