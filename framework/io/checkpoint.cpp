#include "framework/io/checkpoint.h"

#include <charconv>

#include "framework/core/error.h"
#include "framework/io/safetensors.h"

namespace adwp::io {
namespace {

const std::string steps_key = "optimizer.steps";

// The tensors of a checkpoint and their names in the file.
std::vector<std::pair<std::string, Tensor>> contents(
    const nn::ParameterStore& store, const optim::Optimizer* optimizer,
    const std::vector<std::pair<std::string, Tensor>>& extra) {
  std::vector<std::pair<std::string, Tensor>> all = extra;
  for (std::size_t i = 0; i < store.entries().size(); ++i) {
    all.emplace_back(store.entries()[i].name, store[static_cast<int>(i)].value());
  }
  if (optimizer != nullptr) {
    for (const auto& [name, tensor] : optimizer->state()) all.emplace_back("optimizer." + name, tensor);
  }
  return all;
}

}  // namespace

void save_checkpoint(const std::string& path, const nn::ParameterStore& store,
                     const optim::Optimizer* optimizer,
                     const std::vector<std::pair<std::string, Tensor>>& extra,
                     const std::map<std::string, std::string>& facts) {
  SafeTensors file;
  file.metadata = facts;
  if (optimizer != nullptr) file.metadata[steps_key] = std::to_string(optimizer->steps());
  for (const auto& [name, tensor] : contents(store, optimizer, extra)) file.add(name, tensor);
  file.save(path);
}

std::map<std::string, std::string> load_checkpoint(const std::string& path, const nn::ParameterStore& store,
                                                   optim::Optimizer* optimizer,
                                                   const std::vector<std::pair<std::string, Tensor>>& extra) {
  const SafeTensors file = SafeTensors::load(path);
  const auto expected = contents(store, optimizer, extra);
  require(file.tensors.size() == expected.size(), "checkpoint",
          "{} is of another model, got {} tensors, expected {}", path, file.tensors.size(), expected.size());
  for (const auto& [name, tensor] : expected) file.restore(name, tensor);
  if (optimizer != nullptr) {
    const auto found = file.metadata.find(steps_key);
    std::int64_t steps = -1;
    if (found != file.metadata.end()) {
      const std::string& text = found->second;
      std::from_chars(text.data(), text.data() + text.size(), steps);
    }
    require(steps >= 0, "checkpoint", "{} does not say how many steps were made", path);
    optimizer->set_steps(steps);
  }
  return file.metadata;
}

}  // namespace adwp::io
