// One architecture, layer by layer.
#pragma once

#include <string>

#include "nas/space/network_plan.h"

namespace adwp::apps {

// `path`: an architecture's JSON file, a run directory of train or of search (its best.json), or a checkpoint
// of train. `image` and `classes` replace the run's (0: keep them; 32 and 10 where there is no run).
nas::NetworkPlan open_plan(const std::string& path, std::int64_t image, std::int64_t classes);

// A table: layers, shapes, parameters, multiply-accumulates and activation bytes of one image.
std::string layers_as_text(const nas::NetworkPlan& plan);
// {"id", "architecture", "image", "classes", "params", "macs", "activation_bytes", "layers": [{"name",
// "kernel", "stride", "groups", "activation", "input": [h, w, c], "output": [h, w, c], "params", "macs",
// "activation_bytes"}]}
std::string layers_as_json(const nas::NetworkPlan& plan);

}  // namespace adwp::apps
