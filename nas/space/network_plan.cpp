#include "nas/space/network_plan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "framework/core/error.h"

namespace adwp::nas {
namespace {

constexpr std::int64_t most_channels = 8192;

struct Value {
  int number = 0;
  std::int64_t channels = 0;
  std::int64_t size = 0;
};

bool same_shape(const Value& a, const Value& b) { return a.channels == b.channels && a.size == b.size; }

// Squeezed to a quarter, a multiple of 8.
std::int64_t squeezed_channels(std::int64_t channels) {
  return std::max<std::int64_t>(8, (channels / 4 + 7) / 8 * 8);
}

// Writes layers and steps one after the other.
class Planner {
 public:
  Planner(const Architecture& architecture, const Task& task) {
    plan_.task = task;
    plan_.architecture = architecture;
  }

  NetworkPlan run() {
    const Architecture& a = plan_.architecture;
    Value x{0, plan_.task.channels, plan_.task.image_size};
    x = convolution(x, {.name = "stem", .role = LayerRole::stem}, a.stem_width, 3, a.stem_stride,
                    a.activation);
    for (std::size_t s = 0; s < a.stages.size(); ++s) x = stage(x, s);
    if (a.head_width > 0) {
      const int after = a.stages.size();
      x = convolution(x, {.name = "head", .role = LayerRole::head, .stage = after}, a.head_width, 1, 1,
                      a.activation);
    }
    plan_.classifier_inputs = x.channels;
    step(StepKind::global_pool, {x.number}, {0, x.channels, 1});
    find_last_uses();
    require(plan_.parameters() < std::numeric_limits<std::int32_t>::max(), "architecture",
            "too many parameters, got {}, expected less than 2^31", plan_.parameters());
    return std::move(plan_);
  }

 private:
  Value step(StepKind kind, std::vector<int> inputs, Value output, int layer = -1) {
    output.number = plan_.steps.size() + 1;
    plan_.steps.push_back({kind, layer, std::move(inputs), output.number});
    return output;
  }

  Value add_layer(const Value& x, LayerSpec layer, std::int64_t out) {
    layer.in_channels = x.channels;
    layer.out_channels = out;
    if (layer.first_channels == 0) layer.first_channels = x.channels;
    layer.in_size = x.size;
    if (x.size + 2 * layer.conv.padding < layer.conv.kernel || out > most_channels) {
      fail_usage("architecture",
                 "{} does not fit, got {} channels on {} pixels, expected at most {} "
                 "channels and an image of 1 pixel or more",
                 layer.name, out, x.size, most_channels);
    }
    layer.out_size = layer.conv.out_size(x.size);
    const Value y{0, out, layer.out_size};
    plan_.layers.push_back(std::move(layer));
    return step(StepKind::layer, {x.number}, y, plan_.layers.size() - 1);
  }

  Value convolution(const Value& x, LayerSpec layer, std::int64_t out, int kernel, int stride,
                    Activation act) {
    layer.conv = {.kernel = kernel, .stride = stride, .padding = kernel / 2};
    layer.act = act;
    return add_layer(x, std::move(layer), out);
  }

  Value depthwise(const Value& x, LayerSpec layer, int kernel, int stride, Activation act) {
    layer.conv = {.kernel = kernel, .stride = stride, .padding = kernel / 2, .depthwise = true};
    layer.act = act;
    return add_layer(x, std::move(layer), x.channels);
  }

  Value squeeze_excite(const Value& x, const LayerSpec& place) {
    const Value pooled = step(StepKind::global_pool, {x.number}, {0, x.channels, 1});
    LayerSpec squeeze = named(place, LayerRole::squeeze);
    squeeze.norm = false;
    squeeze.act = Activation::relu;
    LayerSpec excite = named(place, LayerRole::excite);
    excite.norm = false;
    excite.act = Activation::hard_sigmoid;
    const Value narrow = add_layer(pooled, std::move(squeeze), squeezed_channels(x.channels));
    const Value gate = add_layer(narrow, std::move(excite), x.channels);
    return step(StepKind::channel_scale, {x.number, gate.number}, x);
  }

  // A layer of the block at `place`: "stage1.block2.expand".
  static LayerSpec named(const LayerSpec& place, LayerRole role) {
    LayerSpec layer;
    layer.stage = place.stage;
    layer.block = place.block;
    layer.role = role;
    layer.name = fmt::format("stage{}.block{}.{}", place.stage, place.block, name_of(role));
    return layer;
  }

  // The block's input: its predecessor, joined by an earlier value of the stage. `first` becomes the
  // predecessor's share of a concatenation's channels, else 0.
  Value join(const Value& x, const Value& earlier, const Block& block, int stride, const LayerSpec& place,
             std::int64_t& first) {
    Value other = earlier;
    if (!same_shape(x, other)) {
      other = convolution(other, named(place, LayerRole::join), x.channels, 1, stride, Activation::none);
    }
    if (block.join == Join::add) return step(StepKind::add, {x.number, other.number}, x);
    first = x.channels;
    return step(StepKind::concat, {x.number, other.number}, {0, x.channels + other.channels, x.size});
  }

  Value block(const Value& predecessor, const std::vector<Value>& values, const Block& block, int width,
              int stride, int stage_stride, const LayerSpec& place) {
    const Activation act = plan_.architecture.activation;
    std::int64_t first = 0;
    Value x = predecessor;
    if (block.join != Join::none) {
      x = join(x, values[block.from], block, stage_stride, place, first);
    }
    auto layer = [&](LayerRole role) {
      LayerSpec spec = named(place, role);
      spec.first_channels = std::exchange(first, 0);  // only the block's first layer reads it
      return spec;
    };
    const Operation& operation = block.operation;
    switch (operation.kind) {
      case BlockKind::dense:
        x = convolution(x, layer(LayerRole::dense), width, operation.kernel, stride, act);
        break;
      case BlockKind::separable:
        x = depthwise(x, layer(LayerRole::depthwise), operation.kernel, stride, act);
        x = convolution(x, layer(LayerRole::pointwise), width, 1, 1, act);
        break;
      case BlockKind::inverted_residual:
        x = convolution(x, layer(LayerRole::expand),
                        operation.expansion * (operation.expands_input ? x.channels : width), 1, 1, act);
        x = depthwise(x, layer(LayerRole::depthwise), operation.kernel, stride, act);
        if (operation.squeeze_excite) x = squeeze_excite(x, place);
        x = convolution(x, layer(LayerRole::project), width, 1, 1, Activation::none);
        break;
      case BlockKind::projection:
        x = convolution(x, layer(LayerRole::project), width, 1, stride, Activation::none);
        break;
    }
    if (block.residual) {
      x = step(StepKind::add, {x.number, predecessor.number}, x);
      plan_.steps.back().residual = true;
    }
    return x;
  }

  Value stage(const Value& input, int index) {
    const Stage& stage = plan_.architecture.stages[index];
    std::vector<Value> values{input};  // 0: the stage's input; j: output of its j-th block
    for (std::size_t b = 0; b < stage.blocks.size(); ++b) {
      LayerSpec place;
      place.stage = index;
      place.block = b;
      values.push_back(block(values.back(), values, stage.blocks[b], stage.width, b == 0 ? stage.stride : 1,
                             stage.stride, place));
    }
    return values.back();
  }

  void find_last_uses() {
    plan_.last_use.assign(plan_.steps.size() + 1, -1);
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      for (int input : plan_.steps[s].inputs) {
        plan_.last_use[input] = s;
      }
    }
  }

  NetworkPlan plan_;
};

}  // namespace

const char* name_of(LayerRole role) {
  switch (role) {
    case LayerRole::stem:
      return "stem";
    case LayerRole::dense:
      return "dense";
    case LayerRole::depthwise:
      return "depthwise";
    case LayerRole::pointwise:
      return "pointwise";
    case LayerRole::expand:
      return "expand";
    case LayerRole::project:
      return "project";
    case LayerRole::squeeze:
      return "squeeze";
    case LayerRole::excite:
      return "excite";
    case LayerRole::join:
      return "join";
    case LayerRole::head:
      return "head";
  }
  return "?";
}

Shape LayerSpec::kernel_shape() const {
  return Shape{out_channels, conv.kernel, conv.kernel, conv.depthwise ? 1 : in_channels};
}

std::int64_t LayerSpec::fan_in() const {
  return conv.kernel * conv.kernel * (conv.depthwise ? 1 : in_channels);
}

std::int64_t LayerSpec::parameters() const { return out_channels * fan_in() + out_channels * (norm ? 2 : 1); }

std::int64_t LayerSpec::macs() const { return out_size * out_size * out_channels * fan_in(); }

std::int64_t NetworkPlan::parameters() const {
  std::int64_t sum = task.classes * (classifier_inputs + 1);
  for (const LayerSpec& layer : layers) sum += layer.parameters();
  return sum;
}

std::int64_t NetworkPlan::macs() const {
  std::int64_t sum = task.classes * classifier_inputs;
  for (const LayerSpec& layer : layers) sum += layer.macs();
  return sum;
}

std::int64_t NetworkPlan::activation_bytes() const {
  std::int64_t sum = 0;
  for (const LayerSpec& layer : layers) {
    sum += layer.out_size * layer.out_size * layer.out_channels * 4;
  }
  return sum;
}

NetworkPlan plan_network(const Architecture& architecture, const Task& task) {
  architecture.validate();
  if (task.image_size < 1 || task.image_size > 4096 || task.channels < 1 || task.channels > 4 ||
      task.classes < 1 || task.classes > 10000) {
    fail_usage("task",
               "got images of {} pixels with {} channels in {} classes, expected 1 to 4096 "
               "pixels, 1 to 4 channels, 1 to 10000 classes",
               task.image_size, task.channels, task.classes);
  }
  return Planner(architecture, task).run();
}

}  // namespace adwp::nas
