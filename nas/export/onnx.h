// A network as an ONNX model.
//
// Opset 17, IR version 8. Input `images` (batch, channels, size, size), float, RGB, 0 to 1 (pixel / 255); the
// network's normalisation is part of the graph. Output `logits` (batch, classes). The batch is free. Batch
// norm stands as BatchNormalization, weights by their names (nas/network/stored_network.h), and the model's
// metadata hold `architecture` and `classes` as JSON.
#pragma once

#include "nas/network/stored_network.h"

namespace adwp::nas {

// Whether this build has it: it needs protobuf and ONNX when the project is configured.
bool onnx_available();

// The file's bytes. Throws Error where it is not available, and past the format's 2 GiB.
std::string to_onnx(const StoredNetwork& network);

}  // namespace adwp::nas
