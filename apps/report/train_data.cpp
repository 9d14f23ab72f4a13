#include "apps/report/train_data.h"

#include "nas/export/stored_network.h"

namespace adwp::apps {

using Json = nlohmann::ordered_json;

Json train_data(const RunFiles& files) {
  Json data = files.facts({});
  data["epochs"] = files.log("train", "epoch");
  data["test"] = files.json("test.json");
  data["network"] = nullptr;
  const std::filesystem::path checkpoint = files.at("checkpoints") / "network.safetensors";
  if (std::filesystem::exists(checkpoint)) {
    const nas::NetworkPlan plan = nas::StoredNetwork::load(checkpoint.string()).plan;
    data["network"] = {
        {"id", plan.architecture.id()},  {"architecture", Json::parse(plan.architecture.to_json())},
        {"params", plan.parameters()},   {"macs", plan.macs()},
        {"image", plan.task.image_size}, {"channels", plan.task.channels},
        {"classes", plan.task.classes}};
  }
  return data;
}

}  // namespace adwp::apps
