// Checkpoints: a parameter store, its optimizer and further tensors in one safetensors file.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "framework/nn/parameter_store.h"
#include "framework/optim/optimizer.h"

namespace adwp::io {

// Parameters stand by their own names; the optimizer's flat buffers as "optimizer.NAME", `extra` as
// given. `facts` go into the metadata, beside "optimizer.steps".
void save_checkpoint(const std::string& path, const nn::ParameterStore& store,
                     const optim::Optimizer* optimizer,
                     const std::vector<std::pair<std::string, Tensor>>& extra,
                     const std::map<std::string, std::string>& facts);

// Puts everything back where it was and returns the metadata. Throws Error when the file is damaged
// or of another model.
std::map<std::string, std::string> load_checkpoint(const std::string& path, const nn::ParameterStore& store,
                                                   optim::Optimizer* optimizer,
                                                   const std::vector<std::pair<std::string, Tensor>>& extra);

}  // namespace adwp::io
