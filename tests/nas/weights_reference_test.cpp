// The kernels, scales and shifts that a source gives a network, element by element, from the source's own
// parameters in plain loops.
#include <cmath>
#include <map>

#include "nas/space/encoding.h"
#include "nas/weights/hypernetwork.h"
#include "nas/weights/parameter_weights.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

using oracle::Array;

constexpr nas::Task task{8, 3, 10};

// Every kind of layer, each also on a concatenation.
nas::NetworkPlan network_of_everything() {
  const auto block = [](nas::BlockKind kind, int kernel) { return nas::Block{{kind, kernel}}; };
  const auto joined = [](nas::Block b, int from) {
    b.join = nas::Join::concat;
    b.from = from;
    return b;
  };
  const nas::Block dense = block(nas::BlockKind::dense, 3), separable = block(nas::BlockKind::separable, 3);
  nas::Block inverted = block(nas::BlockKind::inverted_residual, 3);
  inverted.operation.expansion = 3;
  inverted.operation.squeeze_excite = true;
  nas::Architecture network;
  network.stem_width = 16;
  network.stem_stride = 2;
  network.stages = {{16, 1, {dense, joined(dense, 0), joined(inverted, 1)}},
                    {32, 2, {separable, joined(block(nas::BlockKind::separable, 5), 0), joined(dense, 1)}},
                    {48, 2, {inverted}}};
  return nas::plan_network(network, task);
}

class WeightsReference : public DeviceTest {
 protected:
  nas::SearchSpace space() const {
    nas::SearchSpace s = nas::SearchSpace::preset("tiny");
    s.operations.push_back(nas::Operation::from_text("inverted3_e3_se"));
    return s;
  }
  static Array parameter(const nn::ParameterStore& store, const std::string& name) {
    for (std::size_t i = 0; i < store.entries().size(); ++i) {
      if (store.entries()[i].name == name) return to_array(store[static_cast<int>(i)].value());
    }
    ADD_FAILURE() << "no parameter " << name;
    return {};
  }
  // Scales begin at 1 and shifts at 0, alike for all channels: random ones tell them apart.
  static void randomise(nn::ParameterStore& store) {
    const std::vector<float> values = to_floats(random_array(store.values().shape(), 41, -0.3, 0.3));
    store.values().copy_from_host(std::span<const float>(values));
  }
};

// Rows of a matrix (rows, width).
Array row_of(const Array& matrix, std::int64_t row) {
  Array result(Shape{1, matrix.shape[1]});
  for (std::int64_t d = 0; d < matrix.shape[1]; ++d) result.at(d) = matrix.at(row * matrix.shape[1] + d);
  return result;
}

// What a HyperNetwork predicts for one layer, tile by tile.
struct Prediction {
  Array row, column, hidden, hidden_bias, out, out_bias;  // of a family
  Array z;                                                // the layer's code, encoded: (1, width)
  std::map<std::pair<std::int64_t, std::int64_t>, Array> tiles;

  double element(std::int64_t tile_row, std::int64_t tile_column, std::int64_t place) {
    auto [entry, is_new] = tiles.try_emplace({tile_row, tile_column});
    if (is_new) {
      Array x = oracle::add(oracle::add(z, row_of(row, tile_row)), row_of(column, tile_column));
      x = oracle::layer_norm(x, 1e-5, Activation::relu);
      x = oracle::gemm(false, true, x, hidden, hidden_bias, Activation::none);
      x = oracle::layer_norm(x, 1e-5, Activation::relu);
      entry->second = oracle::gemm(false, true, x, out, out_bias, Activation::none);
    }
    return entry->second.at(place);
  }
};

// With `shared_kernel`, tiles are added to what the shared kernels have there; without, they are all.
class PredictedWeightsReference : public WeightsReference {
 public:
  void are_their_tiles(bool shared_kernel);
};

void PredictedWeightsReference::are_their_tiles(bool shared_kernel) {
  const nas::SearchSpace s = space();
  nas::HyperNetwork source(arena(), s, task, {.width = 16, .shared_kernel = shared_kernel}, 1);
  randomise(source.parameters());
  const nn::ParameterStore& store = source.parameters();
  const nas::NetworkPlan plan = network_of_everything();
  Tape tape(backend(), arena(), Tape::Recording::off);
  const nas::NetworkWeights weights = source.weights(tape, plan);
  ASSERT_EQ(source.shared() != nullptr, shared_kernel);
  const nas::NetworkWeights shared = shared_kernel ? source.shared()->weights(tape, plan) : weights;
  // What tiles are added to: one of the shared weights, or a constant.
  const auto add_base = [&](Array& expected, const Variable& base, double constant) {
    const Array from = shared_kernel ? to_array(base.value()) : Array(expected.shape);
    for (std::int64_t i = 0; i < std::ssize(from.values); ++i) {
      expected.at(i) += shared_kernel ? from.at(i) : constant;
    }
  };
  const nas::NetworkCode code = nas::Encoding(s).encode(plan);
  const auto prediction = [&](const std::string& family, std::size_t layer) {
    const auto own = code.layers.begin() + static_cast<std::ptrdiff_t>(layer) * code.layer_entries;
    std::vector<double> entries(own, own + code.layer_entries);
    entries.insert(entries.end(), code.network.begin(), code.network.end());
    const Array input(Shape{1, std::ssize(entries)}, entries);
    const Array hidden = oracle::gemm(false, true, input, parameter(store, "encoder.in.weight"),
                                      parameter(store, "encoder.in.bias"), Activation::relu);
    return Prediction{parameter(store, family + ".row"),
                      parameter(store, family + ".column"),
                      parameter(store, family + ".hidden.weight"),
                      parameter(store, family + ".hidden.bias"),
                      parameter(store, family + ".out.weight"),
                      parameter(store, family + ".out.bias"),
                      oracle::gemm(false, true, hidden, parameter(store, "encoder.out.weight"),
                                   parameter(store, "encoder.out.bias"), Activation::none),
                      {}};
  };
  constexpr std::int64_t second =
      96;  // the widest stage's channels: where a concatenation's second part begins
  for (std::size_t l = 1; l < plan.layers.size(); ++l) {
    const nas::LayerSpec& layer = plan.layers[l];
    const std::int64_t kernel = layer.conv.kernel, taps = kernel * kernel;
    const auto origin = [&](std::int64_t channel) {
      return channel < layer.first_channels ? channel : second + channel - layer.first_channels;
    };
    const std::int64_t rows = layer.conv.depthwise || kernel == 1 ? 16 : 8;  // of a tile
    const std::int64_t columns = layer.conv.depthwise ? 1 : rows;
    Prediction tiles = prediction((layer.conv.depthwise ? "depthwise" + std::to_string(kernel)
                                   : kernel == 1        ? "pointwise"
                                                        : "dense" + std::to_string(kernel)),
                                  l);
    Array expected(layer.kernel_shape());
    std::int64_t at = 0;
    for (std::int64_t o = 0; o < layer.out_channels; ++o) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t i = 0; i < expected.shape[3]; ++i) {
          const std::int64_t r = layer.conv.depthwise ? origin(o) : o,
                             c = layer.conv.depthwise ? 0 : origin(i);
          expected.at(at++) =
              std::sqrt(2.0 / static_cast<double>(layer.fan_in())) *
              tiles.element(r / rows, c / columns, (r % rows * taps + tap) * columns + c % columns);
        }
      }
    }
    add_base(expected, shared.layers[l].kernel, 0);
    EXPECT_LE(nmse(to_array(weights.layers[l].kernel.value()), expected), 1e-7) << layer.name;

    Prediction norms = prediction("norm", l);
    Array scale(Shape{layer.out_channels}), shift(scale);
    for (std::int64_t o = 0; o < layer.out_channels; ++o) {
      const std::int64_t channel = layer.conv.depthwise ? origin(o) : o;
      scale.at(o) = norms.element(channel / 16, 0, channel % 16);
      shift.at(o) = norms.element(channel / 16, 0, 16 + channel % 16);
    }
    if (layer.norm) {
      add_base(scale, shared.layers[l].scale, 1);
      EXPECT_LE(nmse(to_array(weights.layers[l].scale.value()), scale), 1e-7) << layer.name;
    }
    add_base(shift, shared.layers[l].shift, 0);
    EXPECT_LE(nmse(to_array(weights.layers[l].shift.value()), shift), 1e-7) << layer.name;
  }
}

TEST_P(PredictedWeightsReference, AreTheirTiles) { are_their_tiles(false); }
TEST_P(PredictedWeightsReference, AreSharedOnesAndTheirTiles) { are_their_tiles(true); }

TEST_P(WeightsReference, SharedKernelsAreCornersOfTheLargest) {
  const nas::SearchSpace s = space();
  nas::SharedWeights source(arena(), s, task, 1);
  randomise(source.parameters());
  const nn::ParameterStore& store = source.parameters();
  const nas::NetworkPlan plan = network_of_everything();
  Tape tape(backend(), arena(), Tape::Recording::off);
  const nas::NetworkWeights weights = source.weights(tape, plan);
  for (std::size_t l = 0; l < plan.layers.size(); ++l) {
    const nas::LayerSpec& layer = plan.layers[l];
    std::string position = layer.name;  // and the block's operation, for each has weights of its own
    if (layer.stage >= 0 && layer.role != nas::LayerRole::join) {
      const nas::Block& b = plan.architecture.stages[static_cast<std::size_t>(layer.stage)]
                                .blocks[static_cast<std::size_t>(layer.block)];
      position += "/" + b.operation.text();
    }
    const auto origin = [&](std::int64_t channel) {
      if (channel < layer.first_channels) return channel;
      return s.max_width(layer.stage) + channel - layer.first_channels;
    };
    const Array all = parameter(store, position + ".kernel");
    const auto own = [&](const std::string& part) {
      const Array vector = parameter(store, position + part);
      Array result(Shape{layer.out_channels});
      for (std::int64_t o = 0; o < layer.out_channels; ++o) {
        result.at(o) = vector.at(layer.conv.depthwise ? origin(o) : o);
      }
      return result;
    };
    Array expected(layer.kernel_shape());
    for (std::int64_t o = 0; o < expected.shape[0]; ++o) {
      for (std::int64_t r = 0; r < layer.conv.kernel; ++r) {
        for (std::int64_t c = 0; c < layer.conv.kernel; ++c) {
          for (std::int64_t i = 0; i < expected.shape[3]; ++i) {
            expected.at(o, r, c, i) =
                layer.conv.depthwise ? all.at(origin(o), r, c, 0) : all.at(o, r, c, origin(i));
          }
        }
      }
    }
    EXPECT_EQ(to_array(weights.layers[l].kernel.value()).values, expected.values) << layer.name;
    if (layer.norm) {
      EXPECT_EQ(to_array(weights.layers[l].scale.value()).values, own(".scale").values);
    }
    EXPECT_EQ(to_array(weights.layers[l].shift.value()).values, own(".shift").values) << layer.name;
  }
}

ADWP_ON_EVERY_DEVICE(WeightsReference);
ADWP_ON_EVERY_DEVICE(PredictedWeightsReference);

}  // namespace
}  // namespace adwp::test
