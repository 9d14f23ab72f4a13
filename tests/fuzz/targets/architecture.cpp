// An architecture's JSON. Accepted: to_json and from_json are inverse, and its plan can be counted.
#include "nas/space/network_plan.h"
#include "tests/fuzz/support.h"

using namespace adwp;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nas::Architecture first;
  if (!fuzz::accepts([&] {
        first = nas::Architecture::from_json({reinterpret_cast<const char*>(data), size});
      })) {
    return 0;
  }
  const std::string text = first.to_json();
  const nas::Architecture second = nas::Architecture::from_json(text);
  fuzz::expect(second == first && second.to_json() == text && second.hash() == first.hash(), "a fixed point");
  for (std::int64_t side : {1, 32, 4096}) {
    fuzz::accepts([&] {
      const nas::NetworkPlan plan = nas::plan_network(first, {side, 3, 10});
      fuzz::expect(plan.parameters() > 0 && plan.macs() > 0 && plan.activation_bytes() > 0,
                   "counts are counts");
    });
  }
  return 0;
}
