// Lab 6: a search that beats random choice with halving. This one does not search at all.
#include <cstdio>

#include "course/lab6/lab.h"

namespace lab {

using adwp::nas::Architecture;

Architecture search(Bench& bench, std::uint64_t seed) {
  adwp::Random random(seed, adwp::Purpose::architecture);
  return bench.space().sample(random);
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
