#include "apps/inspect/views.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/common/run_directory.h"
#include "apps/common/terminal.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/nesting.h"
#include "nas/network/stored_network.h"

namespace adwp::apps {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Row {
  std::string name, kernel, activation;
  std::int64_t size = 1, stride = 1, groups = 1;
  Shape input, output;  // (h, w, c)
  std::int64_t params = 0, macs = 0;

  std::int64_t activation_bytes() const { return 4 * output.elements(); }
};

std::vector<Row> rows_of(const nas::NetworkPlan& plan) {
  std::vector<Row> rows;
  for (const nas::LayerSpec& layer : plan.layers) {
    const Conv2d& conv = layer.conv;
    Row row{layer.name, fmt::format("{0}x{0}", conv.kernel), name_of(layer.act), conv.kernel, conv.stride};
    if (conv.depthwise) row.kernel += " depthwise", row.groups = layer.in_channels;
    if (conv.stride > 1) row.kernel += fmt::format(" /{}", conv.stride);
    row.input = Shape{layer.in_size, layer.in_size, layer.in_channels};
    row.output = Shape{layer.out_size, layer.out_size, layer.out_channels};
    row.params = layer.parameters();
    row.macs = layer.macs();
    rows.push_back(row);
  }
  Row row{"classifier", "linear", "none"};
  row.input = Shape{1, 1, plan.classifier_inputs};
  row.output = Shape{1, 1, plan.task.classes};
  row.params = plan.task.classes * (plan.classifier_inputs + 1);
  row.macs = plan.task.classes * plan.classifier_inputs;
  rows.push_back(row);
  return rows;
}

std::string text_of(const Shape& shape) { return fmt::format("{} x {} x {}", shape[0], shape[1], shape[2]); }
Json json_of(const Shape& shape) { return {shape[0], shape[1], shape[2]}; }

// The data set of a search, as its result.json has it; where that is missing, what `task` says.
nas::Task task_of_search(const fs::path& run, nas::Task task) {
  std::error_code ignored;
  if (!fs::exists(run / "result.json", ignored)) return task;
  const std::string text = io::read_text((run / "result.json").string());
  using Found = nlohmann::json;  // finds a key fast, of however many
  const Found result = io::json_exceeds(text, 32, 1'000'000) ? Found() : Found::parse(text, nullptr, false);
  const Found data = result.is_object() ? result.value("dataset", Found()) : Found();
  try {
    const Found image = data.at("image");
    return {image.at(0).get<std::int64_t>(), image.at(2).get<std::int64_t>(),
            data.at("classes").get<std::int64_t>()};
  } catch (const Found::exception&) {
    fail("inspect", "{} names no data set, expected the result of a search", (run / "result.json").string());
  }
}

bool is_checkpoint(const fs::path& path) { return path.extension() == ".safetensors"; }

}  // namespace

nas::NetworkPlan open_plan(const std::string& path, std::int64_t image, std::int64_t classes) {
  std::error_code ignored;
  const bool directory = fs::is_directory(path, ignored);
  const fs::path best = fs::path(path) / "best.json";
  nas::Task task;
  nas::Architecture architecture;
  if (is_checkpoint(path) || (directory && !fs::exists(best, ignored))) {
    const nas::NetworkPlan plan = nas::StoredNetwork::from(trained_network(path)).plan;
    task = plan.task;
    architecture = plan.architecture;
  } else {
    if (directory) task = task_of_search(path, task);
    architecture = nas::Architecture::from_file(directory ? best.string() : path);
  }
  if (image > 0) task.image_size = image;
  if (classes > 0) task.classes = classes;
  return nas::plan_network(architecture, task);
}

std::string layers_as_text(const nas::NetworkPlan& plan) {
  using Align = Table::Align;
  Table table({{"layer", Align::left},
               {"kernel", Align::left},
               {"activation", Align::left},
               {"input"},
               {"output"},
               {"params"},
               {"MACs"},
               {"activation bytes"}});
  std::int64_t bytes = 0;
  for (const Row& row : rows_of(plan)) {
    table.row({row.name, row.kernel, row.activation, text_of(row.input), text_of(row.output),
               std::to_string(row.params), std::to_string(row.macs), std::to_string(row.activation_bytes())});
    bytes += row.activation_bytes();
  }
  table.row({"total", "", "", "", "", std::to_string(plan.parameters()), std::to_string(plan.macs()),
             std::to_string(bytes)});
  return fmt::format("architecture {}, images {} x {} x {}, {} classes\n\n{}", plan.architecture.id(),
                     plan.task.image_size, plan.task.image_size, plan.task.channels, plan.task.classes,
                     table.text());
}

std::string layers_as_json(const nas::NetworkPlan& plan) {
  Json layers = Json::array();
  std::int64_t bytes = 0;
  for (const Row& row : rows_of(plan)) {
    layers.push_back({{"name", row.name},
                      {"kernel", row.size},
                      {"stride", row.stride},
                      {"groups", row.groups},
                      {"activation", row.activation},
                      {"input", json_of(row.input)},
                      {"output", json_of(row.output)},
                      {"params", row.params},
                      {"macs", row.macs},
                      {"activation_bytes", row.activation_bytes()}});
    bytes += row.activation_bytes();
  }
  const Json json = {{"id", plan.architecture.id()},
                     {"architecture", Json::parse(plan.architecture.to_json())},
                     {"image", {plan.task.image_size, plan.task.image_size, plan.task.channels}},
                     {"classes", plan.task.classes},
                     {"params", plan.parameters()},
                     {"macs", plan.macs()},
                     {"activation_bytes", bytes},
                     {"layers", layers}};
  return json.dump(2) + "\n";
}

}  // namespace adwp::apps
