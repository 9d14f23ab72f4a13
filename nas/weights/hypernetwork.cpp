#include "nas/weights/hypernetwork.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "framework/core/error.h"
#include "framework/ops/ops.h"

namespace adwp::nas {
namespace {

using nn::Decay;
using nn::Initial;

constexpr std::int64_t norm_tile = 16;  // channels whose scale and shift one tile holds

std::int64_t tiles_for(std::int64_t channels, std::int64_t tile) { return (channels + tile - 1) / tile; }

// What a linear layer's weight and bias start with when nothing else is known (as in PyTorch).
Initial lecun(float fan_in) { return Initial::uniform(1.0f / std::sqrt(fan_in)); }

}  // namespace

HyperNetwork::HyperNetwork(Arena& arena, const SearchSpace& space, const Task& task,
                           const HyperNetworkOptions& options, std::uint64_t seed)
    : space_(space), task_(task), encoding_(space), options_(options) {
  require(options.width >= 8 && options.width <= 4096, "hypernetwork",
          "width out of range, got {}, expected 8 to 4096", options.width);
  for (std::size_t stage = 0; stage < space.stages.size(); ++stage) {
    widest_ = std::max<std::int64_t>(widest_, space.max_width(stage));
  }
  const int head = *std::max_element(space.head_widths.begin(), space.head_widths.end());
  // Twice the widest for a concatenation.
  const bool concat = std::find(space.joins.begin(), space.joins.end(), Join::concat) != space.joins.end();
  const std::int64_t incoming = std::max<std::int64_t>(concat ? 2 * widest_ : widest_, space.stem_width);
  most_channels_ = std::max<std::int64_t>({2 * widest_, head, space.stem_width});
  for (const Operation& operation : space.operations) {
    const std::int64_t expanded = operation.expansion * (operation.expands_input ? incoming : widest_);
    most_channels_ = std::max(most_channels_, expanded);
  }
  classifier_inputs_ = std::max<std::int64_t>(space.max_width(space.stages.size() - 1), head);

  const std::int64_t width = options.width;
  const std::int64_t code =
      encoding_.layer_entries() + (options.network_code ? encoding_.network_entries() : 0);
  encoder_in_ = store_.add("encoder.in.weight", Shape{width, code}, Decay::yes, lecun(code));
  encoder_in_bias_ = store_.add("encoder.in.bias", Shape{width}, Decay::no, lecun(code));
  encoder_out_ = store_.add("encoder.out.weight", Shape{width, width}, Decay::yes, lecun(width));
  encoder_out_bias_ = store_.add("encoder.out.bias", Shape{width}, Decay::no, lecun(width));

  add_families();
  if (options.shared_kernel) {
    shared_ = std::make_unique<SharedKernels>(store_, space, task, "shared.", options.shared_start);
  } else {
    add_own_stem_and_classifier();
  }
  store_.build(arena, seed);
  if (!options.shared_kernel && !options.predict_norm) {
    const std::vector<float> ones(most_channels_, 1.0f);
    ones_ = Tensor::from_host(arena, Shape{most_channels_}, std::span<const float>(ones));
    zeros_ = Tensor(arena, Shape{most_channels_});
    zeros_.zero();
  }
}

void HyperNetwork::add_families() {
  // A tile's elements start with variance 1/2, so kernels with 1 / fan-in.
  const float start = options_.shared_kernel ? options_.change_start : 1.0f;
  const float deviation = start * 0.7f / std::sqrt(float(options_.width));
  add_family({Kind::pointwise}, 16, 16, 1, deviation);
  for (const Operation& operation : space_.operations) {
    const int k = operation.kernel;
    if (operation.kind == BlockKind::dense) {
      add_family({Kind::dense, k}, 8, 8, k * k, deviation);
    } else if (operation.kind != BlockKind::projection) {
      add_family({Kind::depthwise, k}, 16, 1, k * k, deviation);
    }
  }
  if (options_.predict_norm) add_family({Kind::norm}, 2 * norm_tile, 1, 1, start * 0.02f);
}

void HyperNetwork::add_own_stem_and_classifier() {
  const Shape stem{space_.stem_width, 3, 3, task_.channels};
  stem_kernel_ = store_.add("stem.kernel", stem, Decay::yes, Initial::he(9 * task_.channels));
  stem_scale_ = store_.add("stem.scale", Shape{stem[0]}, Decay::no, Initial::constant(1));
  stem_shift_ = store_.add("stem.shift", Shape{stem[0]}, Decay::no, Initial::constant(0));
  classifier_ = store_.add("classifier.weight", Shape{task_.classes, classifier_inputs_}, Decay::yes,
                           Initial::normal(0.5f * Initial::he(2 * classifier_inputs_).scale));
  classifier_bias_ = store_.add("classifier.bias", Shape{task_.classes}, Decay::no, Initial::constant(0));
}

void HyperNetwork::add_family(FamilyId id, std::int64_t tile_rows, std::int64_t tile_cols, std::int64_t taps,
                              float out_deviation) {
  if (families_.contains(id)) return;
  const std::string name = id.text();
  const std::int64_t width = options_.width;
  const std::int64_t hidden = 2 * width;
  const bool is_norm = id.kind == Kind::norm;
  Family family{.tile_rows = tile_rows, .tile_cols = tile_cols, .taps = taps};
  const std::int64_t row_channels = is_norm ? norm_tile : tile_rows;
  // Room for the two parts of a concatenation, each beginning at a tile of its own.
  const std::int64_t rows = tiles_for(most_channels_, row_channels) + tiles_for(widest_, row_channels);
  const std::int64_t columns =
      tile_cols == 1 ? 1 : tiles_for(most_channels_, tile_cols) + tiles_for(widest_, tile_cols);
  family.second_column = tiles_for(widest_, tile_cols == 1 ? row_channels : tile_cols);
  family.rows = store_.add(name + ".row", Shape{rows, width}, Decay::yes, Initial::normal(1));
  family.columns = store_.add(name + ".column", Shape{columns, width}, Decay::yes, Initial::normal(1));
  family.hidden = store_.add(name + ".hidden.weight", Shape{hidden, width}, Decay::yes, lecun(width));
  family.hidden_bias = store_.add(name + ".hidden.bias", Shape{hidden}, Decay::no, lecun(width));
  family.out = store_.add(name + ".out.weight", Shape{family.tile_elements(), hidden}, Decay::yes,
                          Initial::normal(out_deviation));
  family.out_bias =
      store_.add(name + ".out.bias", Shape{family.tile_elements()}, Decay::no, Initial::constant(0));
  families_.emplace(id, family);
}

std::string HyperNetwork::FamilyId::text() const {
  switch (kind) {
    case Kind::dense:
      return "dense" + std::to_string(kernel);
    case Kind::depthwise:
      return "depthwise" + std::to_string(kernel);
    case Kind::norm:
      return "norm";
    case Kind::pointwise:
      return "pointwise";
  }
  return "?";
}

HyperNetwork::FamilyId HyperNetwork::family_of(const LayerSpec& layer) {
  const int kernel = layer.conv.kernel;
  if (layer.conv.depthwise) return {Kind::depthwise, kernel};
  if (kernel == 1) return {Kind::pointwise};
  return {Kind::dense, kernel};
}

Variable HyperNetwork::encode(Tape& tape, std::span<const NetworkPlan> plans) const {
  const std::int64_t entries = store_.entry(encoder_in_).shape[1];
  std::vector<float> rows;  // (layers of all plans, entries)
  for (const NetworkPlan& plan : plans) {
    const NetworkCode code = encoding_.encode(plan);
    for (std::size_t layer = 0; layer < plan.layers.size(); ++layer) {
      auto own = code.layers.begin() + layer * code.layer_entries;
      rows.insert(rows.end(), own, own + code.layer_entries);
      if (options_.network_code) rows.insert(rows.end(), code.network.begin(), code.network.end());
    }
  }
  const std::int64_t layers = rows.size() / entries;
  const Variable input = Variable::constant(
      Tensor::from_host(tape.arena(), Shape{layers, entries}, std::span<const float>(rows)));
  const Variable hidden = linear(tape, input, encoder_in_, encoder_in_bias_, Activation::relu);
  return linear(tape, hidden, encoder_out_, encoder_out_bias_);
}

Variable HyperNetwork::decode(Tape& tape, const Family& family, const Variable& z,
                              const Request& request) const {
  const std::array<Variable, 3> tables{z, store_[family.rows], store_[family.columns]};
  const Variable place =
      ops::layer_norm(tape, ops::embedding_sum(tape, tables, request.index), Activation::relu);
  const Variable hidden =
      ops::layer_norm(tape, linear(tape, place, family.hidden, family.hidden_bias), Activation::relu);
  return linear(tape, hidden, family.out, family.out_bias);
}

// Training predicts one network at a time, and may split its products.
Variable HyperNetwork::linear(Tape& tape, const Variable& x, int weight, int bias, Activation act) const {
  return ops::linear(tape, x, store_[weight], store_[bias], act, !tape.recording());
}

// Appends the tiles that cover (out, in) of the layer's kernel, row of tiles by row, and the pieces
// that cut them to size.
void HyperNetwork::request_kernel(const LayerSpec& layer, std::int32_t row, std::int64_t target,
                                  std::map<FamilyId, Request>& requests) const {
  const FamilyId id = family_of(layer);
  const Family& family = families_.at(id);
  Request& request = requests[id];
  const std::int64_t columns = layer.kernel_shape()[3];  // input channels per group
  const float scale = std::sqrt(2.0f / layer.fan_in());
  const std::int64_t second = family.second_column;

  // A depthwise kernel has its runs along the rows and one column; a dense one along the columns.
  const std::int64_t run_tile = layer.conv.depthwise ? family.tile_rows : family.tile_cols;
  for (const ChannelRun& run : input_runs(layer, second * run_tile)) {
    const std::int64_t rows = layer.conv.depthwise ? run.count : layer.out_channels;
    const std::int64_t cols = layer.conv.depthwise ? 1 : run.count;
    const std::int64_t down = tiles_for(rows, family.tile_rows);
    const std::int64_t across = tiles_for(cols, family.tile_cols);
    const std::int64_t first_row = layer.conv.depthwise ? run.origin / family.tile_rows : 0;
    const std::int64_t first_col = layer.conv.depthwise ? 0 : run.origin / family.tile_cols;

    TilePiece piece{};
    piece.pitch = family.tile_elements();
    piece.source = request.tiles() * piece.pitch;
    piece.tiles_across = across;
    piece.tile_rows = family.tile_rows;
    piece.tile_cols = family.tile_cols;
    piece.taps = family.taps;
    piece.rows = rows;
    piece.cols = cols;
    piece.target = target + (layer.conv.depthwise ? run.begin * family.taps : run.begin);
    piece.target_cols = columns;
    piece.scale = scale;
    request.pieces.push_back(piece);
    for (std::int32_t i = first_row; i < first_row + down; ++i) {
      for (std::int32_t j = first_col; j < first_col + across; ++j) {
        request.index.insert(request.index.end(), {row, i, j});
      }
    }
  }
}

// A norm tile holds 16 scales, as their difference from 1 or from the shared ones, then 16 shifts.
void HyperNetwork::request_norm(const LayerSpec& layer, std::int32_t row, const WeightLayout::Offsets& target,
                                Request& request) const {
  const Family& family = families_.at({Kind::norm});
  const std::int64_t second = tiles_for(widest_, norm_tile);
  for (const ChannelRun& run : output_runs(layer, second * norm_tile)) {
    TilePiece piece{};
    piece.pitch = family.tile_elements();
    const std::int32_t first = request.tiles() * piece.pitch;
    piece.tiles_across = 1;
    piece.tile_rows = norm_tile;
    piece.tile_cols = 1;
    piece.taps = 1;
    piece.rows = run.count;
    piece.cols = 1;
    piece.target_cols = 1;
    piece.scale = 1;
    if (layer.norm) {
      piece.source = first;
      piece.target = target.scale + run.begin;
      piece.offset = shared_ ? 0 : 1;
      request.pieces.push_back(piece);
    }
    piece.source = first + norm_tile;
    piece.target = target.shift + run.begin;
    piece.offset = 0;
    request.pieces.push_back(piece);
    const std::int32_t begin = run.origin / norm_tile;
    for (std::int32_t i = begin; i < begin + tiles_for(run.count, norm_tile); ++i) {
      request.index.insert(request.index.end(), {row, i, 0});
    }
  }
}

void HyperNetwork::request(const NetworkPlan& plan, std::int32_t row, const WeightLayout& target,
                           std::map<FamilyId, Request>& requests) const {
  for (std::size_t i = 0; i < plan.layers.size(); ++i, ++row) {
    const LayerSpec& layer = plan.layers[i];
    if (layer.role == LayerRole::stem) continue;
    request_kernel(layer, row, target.layer(i).kernel, requests);
    if (options_.predict_norm) request_norm(layer, row, target.layer(i), requests[{Kind::norm}]);
  }
}

NetworkWeights HyperNetwork::weights(Tape& tape, const NetworkPlan& plan) {
  return weights(tape, std::span(&plan, 1)).front();
}

std::vector<NetworkWeights> HyperNetwork::weights(Tape& tape, std::span<const NetworkPlan> plans) {
  std::vector<WeightLayout> layouts;
  std::map<FamilyId, Request> requests;
  std::vector<TilePiece> own;  // that are cut out of the parameters
  std::int32_t row = 0;
  for (const NetworkPlan& plan : plans) {
    const WeightLayout& layout = layouts.emplace_back(plan, layouts.empty() ? 0 : layouts.back().end());
    request(plan, row, layout, requests);
    row += plan.layers.size();
    if (shared_) {
      const std::vector<TilePiece> pieces = shared_->pieces(plan, layout);
      own.insert(own.end(), pieces.begin(), pieces.end());
    } else {
      own.push_back(classifier_piece(plan, layout));
    }
  }

  const GradMode mode = shared_ ? GradMode::accumulate : GradMode::overwrite;
  const Variable z = encode(tape, plans);
  std::vector<ops::Part> parts;
  if (shared_) parts.push_back({store_.flat(), upload(tape, own)});
  for (const auto& [id, request] : requests) {
    parts.push_back({decode(tape, families_.at(id), z, request), upload(tape, request.pieces), mode});
  }
  if (!shared_) parts.push_back({store_.flat(), upload(tape, own)});
  const Variable flat = ops::assemble(tape, parts, layouts.back().end());
  std::vector<NetworkWeights> all;
  for (std::size_t i = 0; i < plans.size(); ++i) all.push_back(weights_in(flat, plans[i], layouts[i]));
  return all;
}

TilePiece HyperNetwork::classifier_piece(const NetworkPlan& plan, const WeightLayout& layout) const {
  return slice(store_.entry(classifier_).offset, plan.task.classes, classifier_inputs_, 1, plan.task.classes,
               plan.classifier_inputs, layout.classifier());
}

NetworkWeights HyperNetwork::weights_in(const Variable& flat, const NetworkPlan& plan,
                                        const WeightLayout& layout) const {
  NetworkWeights weights = layout.views(flat, plan);
  if (shared_) {
    weights.classifier_bias = shared_->classifier_bias();
    return weights;
  }
  weights.classifier_bias = store_[classifier_bias_];
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const LayerSpec& layer = plan.layers[i];
    if (layer.role == LayerRole::stem) {
      weights.layers[i] = {store_[stem_kernel_], store_[stem_scale_], store_[stem_shift_]};
    } else if (!options_.predict_norm) {
      const Shape channels{layer.out_channels};
      if (layer.norm) weights.layers[i].scale = Variable::constant(ones_.view(0, channels));
      weights.layers[i].shift = Variable::constant(zeros_.view(0, channels));
    }
  }
  return weights;
}

}  // namespace adwp::nas
