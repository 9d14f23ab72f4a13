#include "nas/space/search_space.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "framework/core/error.h"

namespace adwp::nas {

std::string Operation::text() const {
  switch (kind) {
    case BlockKind::dense:
      return fmt::format("dense{}", kernel);
    case BlockKind::separable:
      return fmt::format("separable{}", kernel);
    case BlockKind::inverted_residual:
      return fmt::format("inverted{}_e{}{}", kernel, expansion, squeeze_excite ? "_se" : "");
  }
  return "?";
}

Operation Operation::from_text(const std::string& text) {
  static const std::regex form("(dense|separable)([357])|inverted([357])_e([1-6])(_se)?");
  std::smatch match;
  if (!std::regex_match(text, match, form)) {
    fail_usage("search space",
               "unknown operation, got '{}', expected for example dense3, separable5, "
               "inverted3_e6 or inverted5_e3_se",
               text);
  }
  if (match[1].matched) {
    return {match[1] == "dense" ? BlockKind::dense : BlockKind::separable, std::stoi(match[2])};
  }
  return {BlockKind::inverted_residual, std::stoi(match[3]), std::stoi(match[4]), match[5].matched};
}

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

int SearchSpace::max_depth() const {
  int depth = 0;
  for (const StageSpace& stage : stages) depth = std::max(depth, stage.max_depth);
  return depth;
}

int SearchSpace::max_width(int stage) const { return stages[static_cast<std::size_t>(stage)].widths.back(); }

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
    const auto depth = static_cast<int>(stage.blocks.size());
    if (!has(space.widths, stage.width) || stage.stride != space.stride || depth < space.min_depth ||
        depth > space.max_depth) {
      return false;
    }
    for (int b = 0; b < depth; ++b) {
      const Block& block = stage.blocks[static_cast<std::size_t>(b)];
      const Operation operation{block.kind, block.kernel, block.expansion, block.squeeze_excite};
      const bool joined = block.join != Join::none;
      if (!has(operations, operation) || !has(joins, block.join) ||
          (block.residual && (!residual || b == 0)) || (joined && (b == 0 || block.from >= b)) ||
          (!joined && block.from != 0)) {
        return false;
      }
    }
  }
  return true;
}

namespace {

// Everything at its smallest, all blocks the same operation.
Architecture narrowest_network(const SearchSpace& space, const Operation& operation) {
  Architecture network;
  network.stem_width = space.stem_width;
  network.stem_stride = space.stem_stride;
  network.activation = space.activation;
  network.head_width = *std::min_element(space.head_widths.begin(), space.head_widths.end());
  const Block block{operation.kind, operation.kernel, operation.expansion, operation.squeeze_excite};
  for (const StageSpace& stage : space.stages) {
    network.stages.push_back({stage.widths.front(), stage.stride,
                              std::vector<Block>(static_cast<std::size_t>(stage.min_depth), block)});
  }
  return network;
}

std::int64_t macs(const Architecture& architecture) { return plan_network(architecture, Task{}).macs(); }

}  // namespace

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
