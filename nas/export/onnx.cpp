#include "nas/export/export.h"

#include "framework/core/error.h"

#if defined(ADWP_HAS_ONNX)
#include <onnx/onnx_pb.h>

#include "framework/ops/ops.h"
#include "framework/version.h"

namespace adwp::nas {
namespace {

constexpr int ir_version = 8, opset = 17;
constexpr std::size_t most_bytes = (std::size_t{1} << 31) - 1;

void add_attribute(onnx::NodeProto& node, const std::string& name, float value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

void add_attribute(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void add_attribute(onnx::NodeProto& node, const std::string& name, const std::vector<std::int64_t>& values) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (std::int64_t value : values) attribute.add_ints(value);
}

// (out, k, k, in) -> (out, in, k, k)
std::vector<float> channels_first(std::span<const float> kernel, const Shape& shape) {
  std::vector<float> result;
  result.reserve(kernel.size());
  const std::int64_t taps = shape[1] * shape[2], channels = shape[3];
  for (std::int64_t k = 0; k < shape[0]; ++k) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t t = 0; t < taps; ++t) {
        result.push_back(kernel[(k * taps + t) * channels + c]);
      }
    }
  }
  return result;
}

class GraphWriter {
 public:
  explicit GraphWriter(const StoredNetwork& network) : network_(network), plan_(network.plan) {}

  onnx::ModelProto run() {
    describe();
    values_.resize(plan_.steps.size() + 1);
    values_[0] = normalise();
    for (const Step& step : plan_.steps) {
      values_[step.output] =
          step.kind == StepKind::layer ? layer(plan_.layers[step.layer], input(step, 0)) : combine(step);
    }
    const std::string flat = node("Flatten", {input_of_classifier()}, "features");
    weights("classifier.weight");
    weights("classifier.bias");
    node("Gemm", {flat, "classifier.weight", "classifier.bias"}, "logits");
    add_attribute(last(), "transB", std::int64_t{1});
    return std::move(model_);
  }

 private:
  void describe() {
    model_.set_ir_version(ir_version);
    model_.set_producer_name("adwpnas");
    model_.set_producer_version(version);
    onnx::OperatorSetIdProto& set = *model_.add_opset_import();
    set.set_domain("");
    set.set_version(opset);
    const auto facts = network_facts(plan_, network_.norm, network_.classes);
    for (const char* key : {"architecture", "classes"}) {
      onnx::StringStringEntryProto& entry = *model_.add_metadata_props();
      entry.set_key(key);
      entry.set_value(facts.at(key));
    }
    const Task& task = plan_.task;
    graph().set_name("network_" + plan_.architecture.id());
    declare(*graph().add_input(), "images", {task.channels, task.image_size, task.image_size});
    declare(*graph().add_output(), "logits", {task.classes});
  }

  onnx::GraphProto& graph() { return *model_.mutable_graph(); }
  onnx::NodeProto& last() { return *graph().mutable_node(graph().node_size() - 1); }

  // A value (batch, extents...).
  static void declare(onnx::ValueInfoProto& value, const std::string& name,
                      const std::vector<std::int64_t>& extents) {
    value.set_name(name);
    onnx::TypeProto::Tensor& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param("batch");
    for (std::int64_t extent : extents) type.mutable_shape()->add_dim()->set_dim_value(extent);
  }

  std::string node(const std::string& type, const std::vector<std::string>& inputs,
                   const std::string& output) {
    onnx::NodeProto& result = *graph().add_node();
    result.set_op_type(type);
    result.set_name(output);
    for (const std::string& name : inputs) result.add_input(name);
    result.add_output(output);
    return output;
  }

  void constant(const std::string& name, const std::vector<std::int64_t>& extents,
                std::span<const float> values) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (std::int64_t extent : extents) tensor.add_dims(extent);
    tensor.set_raw_data(values.data(), values.size_bytes());  // little-endian, as the hosts we build for
  }

  // A stored tensor by its name.
  void weights(const std::string& name) {
    const Shape& shape = network_.tensors.at(name).shape;
    std::vector<std::int64_t> extents;
    for (int axis = 0; axis < shape.rank(); ++axis) extents.push_back(shape[axis]);
    if (shape.rank() != 4) return constant(name, extents, network_.values(name));
    constant(name, {shape[0], shape[3], shape[1], shape[2]}, channels_first(network_.values(name), shape));
  }

  const std::string& input(const Step& step, std::size_t i) const { return values_[step.inputs[i]]; }
  const std::string& input_of_classifier() const { return values_[plan_.steps.back().output]; }

  std::string normalise() {
    const std::int64_t channels = plan_.task.channels;
    const std::size_t count = channels;
    constant("image_mean", {1, channels, 1, 1}, {network_.norm.mean, count});
    constant("image_deviation", {1, channels, 1, 1}, {network_.norm.deviation, count});
    return node("Div", {node("Sub", {"images", "image_mean"}, "images.centred"), "image_deviation"},
                "images.normalised");
  }

  std::string layer(const LayerSpec& layer, const std::string& x) {
    const std::string& name = layer.name;
    const std::int64_t k = layer.conv.kernel, p = layer.conv.padding, s = layer.conv.stride;
    std::vector<std::string> inputs{x, name + ".kernel"};
    weights(name + ".kernel");
    if (!layer.norm) {
      weights(name + ".bias");
      inputs.push_back(name + ".bias");
    }
    std::string y = node("Conv", inputs, name + ".conv");
    add_attribute(last(), "kernel_shape", {k, k});
    add_attribute(last(), "strides", {s, s});
    add_attribute(last(), "pads", {p, p, p, p});
    add_attribute(last(), "group", layer.conv.depthwise ? layer.in_channels : std::int64_t{1});
    if (layer.norm) {
      inputs = {y};
      for (const char* part : {".scale", ".shift", ".mean", ".var"}) {
        weights(name + part);
        inputs.push_back(name + part);
      }
      y = node("BatchNormalization", inputs, name + ".norm");
      add_attribute(last(), "epsilon", ops::batch_norm_epsilon);
    }
    return activate(layer.act, y, name + ".act");
  }

  std::string activate(Activation act, const std::string& x, const std::string& name) {
    switch (act) {
      case Activation::none:
        return x;
      case Activation::relu:
        return node("Relu", {x}, name);
      case Activation::silu:
        return node("Mul", {x, node("Sigmoid", {x}, name + ".gate")}, name);
      case Activation::hard_swish:
        return node("HardSwish", {x}, name);
      case Activation::sigmoid:
        return node("Sigmoid", {x}, name);
      case Activation::hard_sigmoid:
        node("HardSigmoid", {x}, name);
        add_attribute(last(), "alpha", 1.0f / 6);  // beta is 1/2
        return name;
    }
    fail("export", "an unknown activation, number {}", static_cast<int>(act));
  }

  std::string combine(const Step& step) {
    const std::string name = fmt::format("value{}", step.output);
    switch (step.kind) {
      case StepKind::add:
        return node("Add", {input(step, 0), input(step, 1)}, name);
      case StepKind::concat:
        node("Concat", {input(step, 0), input(step, 1)}, name);
        add_attribute(last(), "axis", std::int64_t{1});
        return name;
      case StepKind::channel_scale:
        return node("Mul", {input(step, 0), input(step, 1)}, name);
      case StepKind::global_pool:
        return node("GlobalAveragePool", {input(step, 0)}, name);
      case StepKind::layer:
        break;
    }
    fail("export", "an unknown step, number {}", static_cast<int>(step.kind));
  }

  const StoredNetwork& network_;
  const NetworkPlan& plan_;
  onnx::ModelProto model_;
  std::vector<std::string> values_;  // what each value of the plan is called in the graph
};

}  // namespace

bool onnx_available() { return true; }

std::string to_onnx(const StoredNetwork& network) {
  const onnx::ModelProto model = GraphWriter(network).run();
  require(model.ByteSizeLong() <= most_bytes, "export",
          "too large for ONNX, got {} bytes, expected at most {}", model.ByteSizeLong(), most_bytes);
  return model.SerializeAsString();
}

}  // namespace adwp::nas

#else

namespace adwp::nas {

bool onnx_available() { return false; }

std::string to_onnx(const StoredNetwork&) {
  fail("export",
       "this build writes no ONNX, got a build without protobuf and ONNX; install libprotobuf-dev, "
       "protobuf-compiler and libonnx-dev and configure again");
}

}  // namespace adwp::nas

#endif
