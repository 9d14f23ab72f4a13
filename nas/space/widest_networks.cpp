#include <algorithm>

#include "nas/space/search_space.h"

namespace adwp::nas {
namespace {

// A join needs a 1x1 convolution only where shapes differ. Where a stage is at its widest as wide as
// what comes before it, and does not shrink the image, the widest network has none: then the same
// network with one of the two a size narrower shows it.
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
          widest.blocks.push_back({.kind = operation.kind,
                                   .kernel = operation.kernel,
                                   .expansion = operation.expansion,
                                   .squeeze_excite = operation.squeeze_excite,
                                   .residual = residual && b > 0,
                                   .join = b == 0 ? Join::none : join,
                                   .from = 0});
        }
        network.stages.push_back(std::move(widest));
      }
      if (join != Join::none) add_narrower(networks, *this, network);
      networks.push_back(std::move(network));
    }
  }
  return networks;
}

}  // namespace adwp::nas
