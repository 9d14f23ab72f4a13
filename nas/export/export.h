// Networks in other forms: ONNX, PyTorch source, drawings.
#pragma once

#include <string>

#include "nas/network/stored_network.h"
#include "nas/space/network_plan.h"

namespace adwp::nas {

// A network as an ONNX model.
//
// Opset 17, IR version 8. Input `images` (batch, channels, size, size), float, RGB, 0 to 1 (pixel / 255); the
// network's normalisation is part of the graph. Output `logits` (batch, classes). The batch is free. Batch
// norm stands as BatchNormalization, weights by their names (nas/network/stored_network.h), and the model's
// metadata hold `architecture` and `classes` as JSON.

// Whether this build has it: it needs protobuf and ONNX when the project is configured.
bool onnx_available();

// The file's bytes. Throws Error where it is not available, and past the format's 2 GiB.
std::string to_onnx(const StoredNetwork& network);

// A network as PyTorch source: one Python file with the module `Network`, the list `CLASSES` and
// `load(path)`, which reads the weights from a file of StoredNetwork::save. Needs torch and safetensors,
// nothing else.

std::string to_pytorch(const StoredNetwork& network);

// An architecture as a picture.

// Graphviz text, layer by layer: kernel, stride, groups, activation and output shape of each, how values
// join, one cluster a stage.
std::string to_dot(const NetworkPlan& plan);

// The same block by block as one SVG element, drawn without Graphviz: boxes as wide as their channels, dashed
// curves on the left where a block adds its input, curves on the right where an earlier value joins.
// It follows the text colour around it, so it suits light and dark pages.
std::string to_svg(const NetworkPlan& plan);

}  // namespace adwp::nas
