#include "nas/network/stored_network.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/io/nesting.h"
#include "framework/version.h"

namespace adwp::nas {
namespace {

using Json = nlohmann::json;
using Tensors = std::map<std::string, io::HostTensor>;

template <typename... Args>
[[noreturn]] void reject(const std::string& path, fmt::format_string<Args...> format, Args&&... args) {
  fail("network", "{} is no trained network: {}; expected a checkpoint of train or an export", path,
       fmt::format(format, std::forward<Args>(args)...));
}

std::string fact(const io::SafeTensors& file, const std::string& key, const std::string& path) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) reject(path, "its metadata lack '{}'", key);
  return found->second;
}

Json json_fact(const io::SafeTensors& file, const std::string& key, const std::string& path) {
  const std::string text = fact(file, key, path);
  Json json;
  if (!io::json_exceeds(text, 8, 100'000)) json = Json::parse(text, nullptr, false);
  if (!json.is_structured()) reject(path, "its metadata '{}' are not JSON", key);
  return json;
}

std::int64_t whole_number(const Json& object, const char* key, const std::string& path) {
  if (!object.contains(key) || !object[key].is_number_unsigned() || object[key] > 10'000) {
    reject(path, "its metadata 'input' lack a usable '{}'", key);
  }
  return object[key].get<std::int64_t>();
}

void read_channels(const Json& input, const char* key, std::int64_t channels, float* values,
                   const std::string& path) {
  const Json list = input.value(key, Json());
  if (!list.is_array() || std::ssize(list) != channels) reject(path, "'{}' of {} channels", key, channels);
  for (std::size_t c = 0; c < list.size(); ++c) {
    if (!list[c].is_number()) reject(path, "'{}' of {} channels", key, channels);
    values[c] = list[c].get<float>();
    if (!std::isfinite(values[c])) reject(path, "'{}' of {} channels", key, channels);
  }
}

std::vector<std::string> read_classes(const Json& list, const std::string& path) {
  std::vector<std::string> classes;
  if (!list.is_array()) reject(path, "'classes' are no array");
  for (const Json& name : list) {
    if (!name.is_string()) reject(path, "'classes' are no array of names");
    classes.push_back(name.get<std::string>());
  }
  return classes;
}

// Checkpoints of training hold all statistics in one tensor: all means, then all variances.
void split_statistics(const NetworkPlan& plan, Tensors& tensors, const std::string& path) {
  const auto found = tensors.find("running_statistics");
  if (found == tensors.end()) return;
  const io::HostTensor flat = std::move(found->second);
  tensors.erase(found);
  std::size_t channels = 0;
  for (const LayerSpec& layer : plan.layers) {
    if (layer.norm) channels += layer.out_channels;
  }
  const std::size_t half = channels * sizeof(float);
  if (flat.dtype != DType::f32 || flat.bytes.size() != 2 * half) reject(path, "its statistics do not fit");
  std::size_t at = 0;
  for (const LayerSpec& layer : plan.layers) {
    if (!layer.norm) continue;
    const std::size_t bytes = layer.out_channels * sizeof(float);
    const auto cut = [&](std::size_t from) {
      const auto begin = flat.bytes.begin() + from;
      return io::HostTensor{Shape{layer.out_channels}, DType::f32, {begin, begin + bytes}};
    };
    tensors[layer.name + ".mean"] = cut(at);
    tensors[layer.name + ".var"] = cut(half + at);
    at += bytes;
  }
}

// Puts the averages, if there are any, in the place of what they are averages of.
void take_averages(Tensors& tensors) {
  constexpr std::string_view prefix = "average.";
  Tensors averages;
  for (auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) averages[name.substr(prefix.size())] = std::move(tensor);
  }
  for (auto& [name, tensor] : averages) tensors[name] = std::move(tensor);
}

}  // namespace

std::vector<std::pair<std::string, Shape>> tensors_of(const NetworkPlan& plan) {
  std::vector<std::pair<std::string, Shape>> all;
  for (const LayerSpec& layer : plan.layers) {
    all.emplace_back(layer.name + ".kernel", layer.kernel_shape());
    const Shape channels{layer.out_channels};
    if (!layer.norm) {
      all.emplace_back(layer.name + ".bias", channels);
      continue;
    }
    for (const char* part : {".scale", ".shift", ".mean", ".var"})
      all.emplace_back(layer.name + part, channels);
  }
  all.emplace_back("classifier.weight", Shape{plan.task.classes, plan.classifier_inputs});
  all.emplace_back("classifier.bias", Shape{plan.task.classes});
  return all;
}

std::map<std::string, std::string> network_facts(const NetworkPlan& plan, const PixelNorm& norm,
                                                 const std::vector<std::string>& classes) {
  const Task& task = plan.task;
  const Json input = {{"size", task.image_size},
                      {"channels", task.channels},
                      {"mean", std::vector<float>(norm.mean, norm.mean + task.channels)},
                      {"deviation", std::vector<float>(norm.deviation, norm.deviation + task.channels)}};
  return {{"architecture", plan.architecture.to_json()},
          {"input", input.dump()},
          // Names of folders need not be UTF-8.
          {"classes", Json(classes).dump(-1, ' ', false, Json::error_handler_t::replace)}};
}

StoredNetwork StoredNetwork::load(const std::string& path) { return from(io::read_stored(path)); }

StoredNetwork StoredNetwork::from(io::StoredCheckpoint checkpoint, Weights weights) {
  const std::string& path = checkpoint.path;
  io::SafeTensors& file = checkpoint.file;
  const Json input = json_fact(file, "input", path);
  StoredNetwork network;
  network.classes = read_classes(json_fact(file, "classes", path), path);
  const Task task{whole_number(input, "size", path), whole_number(input, "channels", path),
                  std::ssize(network.classes)};
  try {
    network.plan = plan_network(Architecture::from_json(fact(file, "architecture", path)), task);
  } catch (const Error& error) {
    reject(path, "{}", error.what());
  }
  read_channels(input, "mean", task.channels, network.norm.mean, path);
  read_channels(input, "deviation", task.channels, network.norm.deviation, path);
  for (std::int64_t c = 0; c < task.channels; ++c) {
    if (!(network.norm.deviation[c] > 0)) reject(path, "a deviation of {}", network.norm.deviation[c]);
  }
  if (weights == Weights::best) take_averages(file.tensors);
  split_statistics(network.plan, file.tensors, path);
  for (const auto& [name, shape] : tensors_of(network.plan)) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end()) reject(path, "it lacks '{}'", name);
    if (found->second.shape != shape || found->second.dtype != DType::f32) {
      reject(path, "'{}' is {}, expected f32 {}", name, found->second.shape.text(), shape.text());
    }
    network.tensors[name] = std::move(found->second);
  }
  return network;
}

void StoredNetwork::save(const std::string& path) const {
  io::SafeTensors file;
  file.tensors = tensors;
  file.metadata = network_facts(plan, norm, classes);
  file.metadata["version"] = version;
  file.save(path);
}

std::span<const float> StoredNetwork::values(const std::string& name) const {
  const auto found = tensors.find(name);
  require(found != tensors.end(), "network", "no tensor '{}'", name);
  const io::HostTensor& tensor = found->second;
  return std::span(reinterpret_cast<const float*>(tensor.bytes.data()), tensor.shape.elements());
}

}  // namespace adwp::nas
