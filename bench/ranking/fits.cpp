// What the score makes of structure, weight sources and short training on the networks of the ranking study.
#include <map>

#include "bench/ranking/study.h"
#include "nas/score/score_model.h"
#include "nas/score/structure.h"

namespace adwp::bench {
namespace {

using nlohmann::json;

// What ranks networks: a lower loss is better.
struct Source {
  std::string name;
  std::vector<double> losses;  // one per network of the study
};

// Trained accuracy on the test images, by network: the mean of all seeds after the longest training.
std::map<std::size_t, double> truth_of(const std::vector<json>& rows) {
  std::int64_t longest = 0;
  for (const json& row : rows) longest = std::max(longest, row.at("epochs").get<std::int64_t>());
  std::map<std::size_t, std::vector<double>> accuracies;
  for (const json& row : rows) {
    if (row.at("epochs") == longest) accuracies[row.at("network")].push_back(row["test"]["accuracy"]);
  }
  std::map<std::size_t, double> truth;
  for (const auto& [network, found] : accuracies) truth[network] = nas::mean(found);
  return truth;
}

// A weight source as it was at the end of its training. `kind`: what all its seeds have in common.
std::string kind_of(const json& row) { return fmt::format("{} ({} epochs)", row.at("setup").get<std::string>(), row.at("epochs").dump()); }

// The mean of sources of one kind, each with mean 0 and deviation 1.
Source mean_of(const std::string& kind, const std::vector<Source>& seeds) {
  Source result{fmt::format("{}, mean of {} seeds", kind, seeds.size()),
                std::vector<double>(seeds.front().losses.size(), 0.0)};
  for (const Source& source : seeds) {
    const double centre = nas::mean(source.losses), deviation = nas::standard_deviation(source.losses);
    for (std::size_t i = 0; i < result.losses.size(); ++i) {
      result.losses[i] += (source.losses[i] - centre) / deviation / seeds.size();
    }
  }
  return result;
}

}  // namespace
}  // namespace adwp::bench
