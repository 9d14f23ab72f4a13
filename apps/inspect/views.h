// What `inspect` shows: an architecture layer by layer, or a search space.
#pragma once

#include <string>
#include <vector>

#include "nas/space/network_plan.h"
#include "nas/space/search_space.h"

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

// A search space: how many architectures it holds, its extremes, and a random sample.
class SpaceView {
 public:
  // `sample` architectures, uniform, from `seed`.
  SpaceView(const nas::SearchSpace& space, const nas::Task& task, std::int64_t sample, std::uint64_t seed);

  std::string text() const;
  // {"name", "size", "smallest", "largest", "sample": []}; an architecture is {"id", "params", "macs",
  // "activation_bytes", "architecture"}.
  std::string json() const;

 private:
  std::string name_;
  double size_ = 0;
  nas::NetworkPlan smallest_, largest_;
  std::vector<nas::NetworkPlan> sample_;
};

// A data set: its classes, the sizes of its images, and every file that is left out, with the reason; each
// split.
std::string data_as_text(const std::string& spec);
// {"data", "splits": [{"split", "classes": [{"name", "images"}], "sizes": [{"height", "width", "images"}],
// "duplicates", "left_out": [{"path", "reason", "detail"}]}]}
std::string data_as_json(const std::string& spec);

}  // namespace adwp::apps
