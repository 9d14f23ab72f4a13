#include "apps/inspect/views.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "apps/common/terminal.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const nas::NetworkPlan& plan) {
  return {{"id", plan.architecture.id()},
          {"params", plan.parameters()},
          {"macs", plan.macs()},
          {"activation_bytes", plan.activation_bytes()},
          {"architecture", Json::parse(plan.architecture.to_json())}};
}

std::vector<std::string> row_of(const std::string& what, const nas::NetworkPlan& plan) {
  std::vector<std::string> stages;
  for (const nas::Stage& stage : plan.architecture.stages) {
    stages.push_back(fmt::format("{} x {}", stage.blocks.size(), stage.width));
  }
  return {what,
          plan.architecture.id(),
          fmt::format("{}", fmt::join(stages, ", ")),
          std::to_string(plan.parameters()),
          std::to_string(plan.macs()),
          std::to_string(plan.activation_bytes())};
}

}  // namespace

SpaceView::SpaceView(const nas::SearchSpace& space, const nas::Task& task, std::int64_t sample,
                     std::uint64_t seed)
    : name_(space.name),
      size_(space.size()),
      smallest_(nas::plan_network(space.smallest(), task)),
      largest_(nas::plan_network(space.largest(), task)) {
  for (std::int64_t i = 0; i < sample; ++i) {
    Random random(seed, Purpose::architecture, i);
    sample_.push_back(nas::plan_network(space.sample(random), task));
  }
}

std::string SpaceView::text() const {
  using Align = Table::Align;
  Table table({{"", Align::left},
               {"architecture", Align::left},
               {"blocks x width", Align::left},
               {"params"},
               {"MACs"},
               {"activation bytes"}});
  table.row(row_of("smallest", smallest_));
  table.row(row_of("largest", largest_));
  for (std::size_t i = 0; i < sample_.size(); ++i) table.row(row_of(fmt::format("random {}", i), sample_[i]));
  return fmt::format("space {}: {:.3g} architectures; images {} x {} x {}, {} classes\n\n{}", name_, size_,
                     smallest_.task.image_size, smallest_.task.image_size, smallest_.task.channels,
                     smallest_.task.classes, table.text());
}

std::string SpaceView::json() const {
  Json sample = Json::array();
  for (const nas::NetworkPlan& plan : sample_) sample.push_back(json_of(plan));
  return Json{{"name", name_},
              {"size", size_},
              {"smallest", json_of(smallest_)},
              {"largest", json_of(largest_)},
              {"sample", sample}}
             .dump(2) +
         "\n";
}

}  // namespace adwp::apps
