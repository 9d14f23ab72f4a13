// An architecture as a picture.
#pragma once

#include <string>

#include "nas/space/network_plan.h"

namespace adwp::nas {

// Graphviz text, layer by layer: kernel, stride, groups, activation and output shape of each, how values
// join, one cluster a stage.
std::string to_dot(const NetworkPlan& plan);

// The same block by block as one SVG element, drawn without Graphviz: boxes as wide as their channels, dashed
// curves on the left where a block adds its input, curves on the right where an earlier value joins.
// It follows the text colour around it, so it suits light and dark pages.
std::string to_svg(const NetworkPlan& plan);

}  // namespace adwp::nas
