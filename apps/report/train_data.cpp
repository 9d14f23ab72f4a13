#include "apps/report/train_data.h"

#include <cstdio>

#include "nas/network/stored_network.h"

namespace adwp::apps {

using Json = nlohmann::ordered_json;

namespace {

// Of the newest whole checkpoint; null when there is none. A damaged one costs its part of the report alone.
Json network_of(const std::filesystem::path& checkpoint) {
  const auto warn = [](const std::string&, const Error& error) {
    fmt::print(stderr, "warning: {}; the report goes without it\n", error.what());
  };
  auto newest = io::read_newest(checkpoint.string(), warn);
  if (!newest) return nullptr;
  const std::string path = newest->path;
  try {
    const nas::NetworkPlan plan = nas::StoredNetwork::from(std::move(*newest)).plan;
    return {{"id", plan.architecture.id()},  {"architecture", Json::parse(plan.architecture.to_json())},
            {"params", plan.parameters()},   {"macs", plan.macs()},
            {"image", plan.task.image_size}, {"channels", plan.task.channels},
            {"classes", plan.task.classes}};
  } catch (const Error& error) {
    warn(path, error);
    return nullptr;
  }
}

}  // namespace

Json train_data(const RunFiles& files) {
  Json data = files.facts({});
  data["epochs"] = files.log("train", "epoch");
  data["test"] = files.json("test.json");
  data["network"] = network_of(files.at("checkpoints") / "network.safetensors");
  return data;
}

}  // namespace adwp::apps
