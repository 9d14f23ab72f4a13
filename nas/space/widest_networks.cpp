#include <algorithm>

#include "nas/space/search_space.h"

namespace adwp::nas {

std::vector<Architecture> SearchSpace::widest_networks() const {
  std::vector<Architecture> networks;
  for (const Operation& operation : operations) {
    for (Join join : {Join::none, Join::add, Join::concat}) {
      const bool known =
          join == Join::none || std::find(joins.begin(), joins.end(), join) != joins.end();
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
      networks.push_back(std::move(network));
    }
  }
  return networks;
}

}  // namespace adwp::nas
