#include "nas/weights/weight_source.h"

#include <cstring>
#include <limits>

#include "framework/core/error.h"

namespace adwp::nas {

std::vector<ChannelRun> input_runs(const LayerSpec& layer, std::int64_t second_origin) {
  const std::int64_t first = layer.first_channels;
  std::vector<ChannelRun> runs{{0, first, 0}};
  if (first < layer.in_channels) runs.push_back({first, layer.in_channels - first, second_origin});
  return runs;
}

std::vector<ChannelRun> output_runs(const LayerSpec& layer, std::int64_t second_origin) {
  if (layer.conv.depthwise) return input_runs(layer, second_origin);
  return {{0, layer.out_channels, 0}};
}

std::vector<NetworkWeights> WeightSource::weights(Tape& tape, std::span<const NetworkPlan> plans) {
  std::vector<NetworkWeights> all;
  for (const NetworkPlan& plan : plans) all.push_back(weights(tape, plan));
  return all;
}

WeightLayout::WeightLayout(const NetworkPlan& plan, std::int64_t begin) : end_(begin) {
  auto place = [&](std::int64_t count) {
    const std::int64_t offset = end_;
    end_ += (count + nn::ParameterStore::alignment - 1) / nn::ParameterStore::alignment *
            nn::ParameterStore::alignment;
    return offset;
  };
  for (const LayerSpec& layer : plan.layers) {
    Offsets offsets{};
    offsets.kernel = place(layer.kernel_shape().elements());
    offsets.scale = layer.norm ? place(layer.out_channels) : -1;
    offsets.shift = place(layer.out_channels);
    layers_.push_back(offsets);
  }
  classifier_ = place(plan.task.classes * plan.classifier_inputs);
  require(end_ <= std::numeric_limits<std::int32_t>::max(), "weights",
          "network too large, got {} weights, expected at most 2^31", end_);
}

NetworkWeights WeightLayout::views(const Variable& flat, const NetworkPlan& plan) const {
  NetworkWeights weights;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const LayerSpec& layer = plan.layers[i];
    const Shape channels{layer.out_channels};
    weights.layers.push_back({flat.view(layers_[i].kernel, layer.kernel_shape()),
                              layers_[i].scale < 0 ? Variable() : flat.view(layers_[i].scale, channels),
                              flat.view(layers_[i].shift, channels)});
  }
  weights.classifier = flat.view(classifier_, Shape{plan.task.classes, plan.classifier_inputs});
  return weights;
}

Tensor upload(const Tape& tape, const std::vector<TilePiece>& pieces) {
  constexpr std::size_t words = sizeof(TilePiece) / sizeof(std::int32_t);
  std::vector<std::int32_t> raw(pieces.size() * words);
  if (!pieces.empty()) std::memcpy(raw.data(), pieces.data(), raw.size() * sizeof(std::int32_t));
  return Tensor::from_host(tape.arena(), Shape{std::ssize(pieces), words},
                           std::span<const std::int32_t>(raw));
}

TilePiece slice(std::int64_t source, std::int64_t max_rows, std::int64_t max_cols, std::int64_t taps,
                std::int64_t rows, std::int64_t cols, std::int64_t target) {
  TilePiece piece{};
  piece.source = source;
  piece.tiles_across = 1;
  piece.tile_rows = max_rows;
  piece.tile_cols = max_cols;
  piece.taps = taps;
  piece.pitch = piece.tile_rows * piece.tile_cols * piece.taps;
  piece.rows = rows;
  piece.cols = cols;
  piece.target = target;
  piece.target_cols = cols;
  piece.scale = 1;
  return piece;
}

}  // namespace adwp::nas
