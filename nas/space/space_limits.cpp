// Architectures within limits: found by construction, for under tight limits hardly a random one is.
#include <algorithm>
#include <functional>

#include "framework/core/error.h"
#include "nas/space/search_space.h"

namespace adwp::nas {
namespace {

constexpr int tries_of_rejection = 100, tries_of_change = 5000;

// By which parts of the limits the plan is beyond them; 0: within.
double excess(const NetworkPlan& plan, const Limits& limits) {
  const auto over = [](double value, const std::optional<std::int64_t>& limit) {
    return limit ? std::max(0.0, value / std::max<double>(*limit, 1) - 1) : 0;
  };
  return over(plan.parameters(), limits.max_params) + over(plan.macs(), limits.max_macs);
}

using Cost = std::function<std::int64_t(const NetworkPlan&)>;

// The least cost of the space: from its smallest network on, each block's operation is changed while that
// helps.
std::int64_t least(const SearchSpace& space, const Task& task, const Cost& cost) {
  Architecture best = space.smallest();
  std::int64_t lowest = cost(plan_network(best, task));
  const auto keep_if_lower = [&](const Architecture& changed) {
    const std::int64_t found = cost(plan_network(changed, task));
    if (found >= lowest) return false;
    best = changed;
    lowest = found;
    return true;
  };
  for (bool lower = true; lower;) {
    lower = false;
    for (std::size_t s = 0; s < best.stages.size(); ++s) {
      for (std::size_t b = 0; b < best.stages[s].blocks.size(); ++b) {
        for (const Operation& operation : space.operations_at(b)) {
          Architecture changed = best;
          changed.stages[s].blocks[b].operation = operation;
          lower |= keep_if_lower(changed);
        }
      }
    }
    for (const int width : space.head_widths) {
      Architecture changed = best;
      changed.head_width = width;
      lower |= keep_if_lower(changed);
    }
  }
  return lowest;
}

}  // namespace

std::optional<Architecture> SearchSpace::within(Architecture architecture, const Limits& limits,
                                                const Task& task, Random& random) const {
  double beyond = excess(plan_network(architecture, task), limits);
  for (int i = 0; beyond > 0 && i < tries_of_change; ++i) {
    Architecture changed = mutate(architecture, random);
    const double now = excess(plan_network(changed, task), limits);
    if (now >= beyond) continue;
    architecture = std::move(changed);
    beyond = now;
  }
  return beyond > 0 ? std::nullopt : std::optional(std::move(architecture));
}

Architecture SearchSpace::sample(Random& random, const Limits& limits, const Task& task) const {
  Architecture architecture;
  for (int i = 0; i < tries_of_rejection; ++i) {
    architecture = sample(random);
    if (limits.admit(plan_network(architecture, task))) return architecture;
  }
  if (auto found = within(architecture, limits, task, random)) return *std::move(found);
  if (auto found = within(smallest(), limits, task, random)) return *std::move(found);
  fail_usage(
      "search space",
      "no architecture is within the limits, got --max-params {} and --max-macs {}, expected at least {} "
      "parameters and {} MACs, the least of the space (perhaps of two networks)",
      limits.max_params.value_or(0), limits.max_macs.value_or(0),
      least(*this, task, [](const NetworkPlan& plan) { return plan.parameters(); }),
      least(*this, task, [](const NetworkPlan& plan) { return plan.macs(); }));
}

}  // namespace adwp::nas
