#include "nas/score/structure.h"

#include <cmath>

namespace adwp::nas {
namespace {

constexpr const char* count_names[] = {"dense",     "separable",     "inverted",
                                       "expansion", "large kernels", "squeeze-excite",
                                       "residual",  "add",           "concat"};

// One block's part of the counts above.
std::vector<double> counts_of(const Block& block) {
  const Operation& operation = block.operation;
  const bool inverted = operation.kind == BlockKind::inverted_residual;
  return {double(operation.kind == BlockKind::dense),
          double(operation.kind == BlockKind::separable),
          double(inverted),
          double(inverted ? operation.expansion : 0),
          double(operation.kernel >= 5),
          double(operation.squeeze_excite),
          double(block.residual),
          double(block.join == Join::add),
          double(block.join == Join::concat)};
}

}  // namespace

std::vector<double> structure_features(const Architecture& network, std::int64_t params, std::int64_t macs) {
  std::vector<double> features{std::log(params), std::log(macs)};
  std::vector<double> counts(std::size(count_names), 0.0);
  for (const Stage& stage : network.stages) {
    features.push_back(std::log(stage.width));
    double& depth = features.emplace_back(0);
    for (const Block& block : stage.blocks) {
      depth += block.operation.kind != BlockKind::projection;
      const std::vector<double> own = counts_of(block);
      for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += own[i];
    }
  }
  features.insert(features.end(), counts.begin(), counts.end());
  features.push_back(std::log1p(network.head_width));
  return features;
}

std::vector<std::string> structure_feature_names(std::size_t stages) {
  std::vector<std::string> names{"log params", "log macs"};
  for (std::size_t stage = 1; stage <= stages; ++stage) {
    names.push_back("log width of stage " + std::to_string(stage));
    names.push_back("depth of stage " + std::to_string(stage));
  }
  names.insert(names.end(), std::begin(count_names), std::end(count_names));
  names.push_back("head");
  return names;
}

}  // namespace adwp::nas
