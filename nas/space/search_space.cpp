#include "nas/space/search_space.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "framework/core/error.h"

namespace adwp::nas {

bool Limits::admit(const NetworkPlan& plan) const {
  return (!max_params || plan.parameters() <= *max_params) && (!max_macs || plan.macs() <= *max_macs);
}

SearchSpace SearchSpace::open(const std::string& preset_or_path) {
  if (preset_or_path == "tiny" || preset_or_path == "cifar") return preset(preset_or_path);
  if (!std::filesystem::exists(preset_or_path)) {
    fail_usage("search space", "got '{}', expected tiny, cifar or a TOML file; no such file", preset_or_path);
  }
  return from_toml(preset_or_path);
}

void SearchSpace::validate() const {
  auto check = [&](bool good, const std::string& what) {
    if (!good) fail_usage("search space", "{} ({})", what, name);
  };
  check(stem_width >= 1 && stem_width <= 1024, fmt::format("stem width {}, expected 1 to 1024", stem_width));
  check(stem_stride == 1 || stem_stride == 2, fmt::format("stem stride {}, expected 1 or 2", stem_stride));
  check(!stages.empty() && stages.size() <= 8, "expected 1 to 8 stages");
  check(!operations.empty() && operations.size() <= 64, "expected 1 to 64 operations");
  check(max_depth() == 1 || !operations_at(1).empty(), "expected an operation for blocks after the first");
  check(!joins.empty() && std::find(joins.begin(), joins.end(), Join::none) != joins.end(),
        "joins must hold 'none'");
  check(!head_widths.empty(), "expected at least one head width (0: no head)");
  for (int width : head_widths) check(width >= 0 && width <= 4096, "head width out of 0 to 4096");
  for (const StageSpace& stage : stages) {
    check(!stage.widths.empty() && std::is_sorted(stage.widths.begin(), stage.widths.end()) &&
              std::adjacent_find(stage.widths.begin(), stage.widths.end()) == stage.widths.end(),
          "stage widths must be distinct and ascending");
    for (int width : stage.widths) {
      check(width >= 8 && width <= 1024 && width % 8 == 0,
            fmt::format("stage width {}, expected a multiple of 8 from 8 to 1024", width));
    }
    check(stage.min_depth >= 1 && stage.min_depth <= stage.max_depth && stage.max_depth <= 64,
          "stage depths, expected 1 <= min <= max <= 64");
    check(stage.stride == 1 || stage.stride == 2, "stage stride, expected 1 or 2");
  }
}

std::vector<Operation> SearchSpace::operations_at(int block) const {
  std::vector<Operation> fitting;
  for (const Operation& operation : operations) {
    if (operation.fits(block)) fitting.push_back(operation);
  }
  return fitting;
}

bool SearchSpace::may_have_residual(int block, bool has) const {
  if (block == 0) return !has;
  return residual == Residual::free || has == (residual == Residual::always);
}

int SearchSpace::max_depth() const {
  int depth = 0;
  for (const StageSpace& stage : stages) depth = std::max(depth, stage.max_depth);
  return depth;
}

int SearchSpace::max_width(int stage) const { return stages[stage].widths.back(); }

SearchSpace SearchSpace::shallow(double share) const {
  SearchSpace part = *this;
  for (StageSpace& stage : part.stages) {
    const int depths = stage.max_depth - stage.min_depth + 1;
    stage.max_depth = stage.min_depth + std::clamp(static_cast<int>(share * depths), 0, depths - 1);
  }
  return part;
}

bool SearchSpace::contains(const Architecture& a) const {
  auto has = [](const auto& list, const auto& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  };
  if (a.stem_width != stem_width || a.stem_stride != stem_stride || a.activation != activation ||
      !has(head_widths, a.head_width) || a.stages.size() != stages.size()) {
    return false;
  }
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const StageSpace& space = stages[s];
    const Stage& stage = a.stages[s];
    const int depth = stage.blocks.size();
    if (!has(space.widths, stage.width) || stage.stride != space.stride || depth < space.min_depth ||
        depth > space.max_depth) {
      return false;
    }
    for (int b = 0; b < depth; ++b) {
      const Block& block = stage.blocks[b];
      const bool joined = block.join != Join::none;
      if (!has(operations_at(b), block.operation) || !has(joins, block.join) ||
          !may_have_residual(b, block.residual) || (joined && (b == 0 || block.from >= b)) ||
          (!joined && block.from != 0)) {
        return false;
      }
    }
  }
  return true;
}

namespace {

// Block `index` of a stage of nothing but `operation`, or of another where that does not fit.
Block uniform_block(const SearchSpace& space, const Operation& operation, int index) {
  return {.operation = operation.fits(index) ? operation : space.operations_at(index).front(),
          .residual = !space.may_have_residual(index, false)};
}

// Everything at its smallest, all blocks the same operation.
Architecture narrowest_network(const SearchSpace& space, const Operation& operation) {
  Architecture network;
  network.stem_width = space.stem_width;
  network.stem_stride = space.stem_stride;
  network.activation = space.activation;
  network.head_width = *std::min_element(space.head_widths.begin(), space.head_widths.end());
  for (const StageSpace& stage : space.stages) {
    network.stages.push_back({stage.widths.front(), stage.stride, {}});
    for (int b = 0; b < stage.min_depth; ++b) {
      network.stages.back().blocks.push_back(uniform_block(space, operation, b));
    }
  }
  return network;
}

// A join needs a 1x1 convolution only where shapes differ. A stage of stride 1 whose largest width equals the
// width before it joins equal shapes, so the widest network has no such convolution there. This adds that
// network again, once with the stage and once with the stage before it one width narrower: both have it.
void add_narrower(std::vector<Architecture>& networks, const SearchSpace& space, const Architecture& widest) {
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    const int before = s == 0 ? space.stem_width : space.stages[s - 1].widths.back();
    if (space.stages[s].stride != 1 || before != space.stages[s].widths.back()) continue;
    for (std::size_t narrowed : {s, s - 1}) {
      if (narrowed >= space.stages.size() || space.stages[narrowed].widths.size() < 2) continue;
      networks.push_back(widest);
      const std::vector<int>& widths = space.stages[narrowed].widths;
      networks.back().stages[narrowed].width = widths[widths.size() - 2];
    }
  }
}

std::int64_t macs(const Architecture& architecture) { return plan_network(architecture, Task{}).macs(); }

}  // namespace

std::vector<Architecture> SearchSpace::widest_networks() const {
  std::vector<Architecture> networks;
  for (const Operation& operation : operations) {
    for (Join join : {Join::none, Join::add, Join::concat}) {
      const bool known = join == Join::none || std::find(joins.begin(), joins.end(), join) != joins.end();
      if (!known) continue;
      Architecture network;
      network.stem_width = stem_width;
      network.stem_stride = stem_stride;
      network.head_width = *std::max_element(head_widths.begin(), head_widths.end());
      network.activation = activation;
      for (const StageSpace& stage : stages) {
        Stage widest{.width = stage.widths.back(), .stride = stage.stride, .blocks = {}};
        for (int b = 0; b < stage.max_depth; ++b) {
          Block& block = widest.blocks.emplace_back(uniform_block(*this, operation, b));
          block.residual = may_have_residual(b, true);
          block.join = b == 0 ? Join::none : join;
        }
        network.stages.push_back(std::move(widest));
      }
      if (join != Join::none) add_narrower(networks, *this, network);
      networks.push_back(std::move(network));
    }
  }
  return networks;
}

Architecture SearchSpace::largest() const {
  const std::vector<Architecture> networks = widest_networks();
  return *std::max_element(networks.begin(), networks.end(),
                           [](const Architecture& a, const Architecture& b) { return macs(a) < macs(b); });
}

Architecture SearchSpace::smallest() const {
  std::vector<Architecture> networks;
  for (const Operation& operation : operations) {
    networks.push_back(narrowest_network(*this, operation));
  }
  return *std::min_element(networks.begin(), networks.end(),
                           [](const Architecture& a, const Architecture& b) { return macs(a) < macs(b); });
}

}  // namespace adwp::nas
