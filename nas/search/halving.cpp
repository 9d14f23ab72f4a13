#include "nas/search/halving.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "framework/core/error.h"

namespace adwp::nas {
namespace {
constexpr double factor = 2.5;
}

std::vector<Rung> halving_schedule(std::size_t networks, int epochs, int halvings) {
  if (networks < 1 || epochs < 1 || halvings < 0) {
    fail_usage("finalists", "got {} finalists, {} epochs, {} halvings, expected at least 1, 1, 0", networks,
               epochs, halvings);
  }
  std::vector<Rung> rungs;
  for (int rung = 0; rung <= halvings; ++rung) {
    const double shrunk = networks / std::pow(factor, rung);
    const double grown = epochs / std::pow(factor, halvings - rung);
    Rung& added = rungs.emplace_back();
    added.networks = std::max(1l, std::lround(shrunk));
    added.epochs = std::max(1l, std::lround(grown));
  }
  return rungs;
}

HalvingResult successive_halving(const std::vector<Rung>& rungs, const TrainNetwork& train) {
  require(!rungs.empty(), "finalists", "no rungs");
  const std::size_t count = rungs.front().networks;
  HalvingResult result{std::vector<double>(count), std::vector<int>(count), std::vector<std::size_t>(count)};
  std::iota(result.order.begin(), result.order.end(), std::size_t{0});
  for (const Rung& rung : rungs) {
    const auto end = result.order.begin() + std::min(rung.networks, count);
    for (auto index = result.order.begin(); index != end; ++index) {
      result.accuracy[*index] = train(*index, rung.epochs);
      result.epochs[*index] = rung.epochs;
    }
    std::stable_sort(result.order.begin(), end,
                     [&](std::size_t a, std::size_t b) { return result.accuracy[a] > result.accuracy[b]; });
  }
  return result;
}

}  // namespace adwp::nas
