// Lab 6: the reference solution. Structure chooses among many architectures, training among a few.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "course/lab6/lab.h"

namespace lab {
namespace {

using adwp::nas::Architecture;

// What short trainings showed on other data sets: dense convolutions learn fast, depth learns slowly, and
// among equals more multiply-accumulates are better.
double prior(const Architecture& architecture, const adwp::nas::Task& task) {
  double depthwise = 0;
  for (const adwp::nas::Stage& stage : architecture.stages) {
    for (const adwp::nas::Block& block : stage.blocks) {
      depthwise += block.operation.kind != adwp::nas::BlockKind::dense;
    }
  }
  return std::log(adwp::nas::plan_network(architecture, task).macs()) - 0.5 * depthwise;
}

std::vector<Architecture> likely_networks(const Bench& bench, std::uint64_t seed, std::size_t count) {
  adwp::Random random(seed, adwp::Purpose::architecture);
  std::vector<std::pair<double, Architecture>> drawn;
  for (int i = 0; i < 400; ++i) {
    const Architecture architecture = bench.space().sample(random);
    drawn.emplace_back(-prior(architecture, bench.task()), architecture);
  }
  std::stable_sort(drawn.begin(), drawn.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Architecture> best;
  for (std::size_t i = 0; i < count; ++i) best.push_back(drawn[i].second);
  return best;
}

}  // namespace

Architecture search(Bench& bench, std::uint64_t seed) {
  std::vector<Architecture> networks = likely_networks(bench, seed, 6);
  for (const std::int64_t epochs : {2, 4}) {
    std::vector<std::pair<double, std::size_t>> losses;
    for (std::size_t i = 0; i < networks.size() && bench.left() >= epochs; ++i) {
      losses.emplace_back(bench.train(networks[i], epochs).loss, i);
    }
    std::sort(losses.begin(), losses.end());
    std::vector<Architecture> best;
    for (std::size_t i = 0; i < (losses.size() + 1) / 2; ++i) best.push_back(networks[losses[i].second]);
    networks = best;
  }
  return networks[0];
}

// Random networks: what of them shows after one epoch, what after eight?
void explore(Bench& bench) {
  adwp::Random random(1, adwp::Purpose::architecture);
  std::puts("MACs       parameters  blocks  loss after 1, 8 epochs  accuracy");
  for (int i = 0; i < 12; ++i) {
    const Architecture architecture = bench.space().sample(random);
    const adwp::nas::NetworkPlan plan = plan_network(architecture, bench.task());
    std::size_t blocks = 0;
    for (const adwp::nas::Stage& stage : architecture.stages) blocks += stage.blocks.size();
    std::printf("%9lld  %10lld  %6zu ", static_cast<long long>(plan.macs()),
                static_cast<long long>(plan.parameters()), blocks);
    const adwp::nas::Score early = bench.train(architecture, 1), late = bench.train(architecture, 8);
    std::printf(" %7.3f %7.3f   %6.1f %%\n", early.loss, late.loss, 100 * late.accuracy);
  }
}

}  // namespace lab
