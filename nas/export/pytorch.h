// A network as PyTorch source: one Python file with the module `Network`, the list `CLASSES` and
// `load(path)`, which reads the weights from a file of StoredNetwork::save. Needs torch and safetensors,
// nothing else.
#pragma once

#include "nas/network/stored_network.h"

namespace adwp::nas {

std::string to_pytorch(const StoredNetwork& network);

}  // namespace adwp::nas
