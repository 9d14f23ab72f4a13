// What the latency meter makes of the times that a device tells.
#define ADWP_GPU emulated
#include "nas/evaluation/evaluator.h"

#include "cuda/runtime/gpu_backend.h"
#include "nas/weights/parameter_weights.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

// Tells 1, 2, 3 ... ms, and every second one before its turn.
class Clock : public emulated::GpuBackend {
 public:
  Clock() : GpuBackend(GpuOptions{}) {}
  double seconds(const std::function<void()>& work) override {
    work();
    ++runs;
    return 1e-3 * (runs % 2 == 0 ? 100 - runs : runs);
  }
  int runs = 0;
};

TEST(Latency, IsTheMedianOfTheRunsInMicroseconds) {
  constexpr nas::Task task{8, 3, 10};
  Clock backend;
  Arena arena(backend, std::size_t{64} << 20);
  const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
  nas::SharedWeights source(arena, space, task, 1);
  nas::LatencyMeter meter(backend, arena, source);
  const nas::NetworkPlan plan = nas::plan_network(space.smallest(), task);
  // 1, 98, 3, 96, 5: 5 in the middle.
  EXPECT_NEAR(meter.measure(plan, 2), 5000, 1e-6);
  EXPECT_EQ(backend.runs, 5);
  backend.runs = 0;
  // 1, 3, ... 15 and 98, 96, ... 86: eight small ones and seven large, 15 in the middle.
  EXPECT_NEAR(meter.measure(plan, 1), 15000, 1e-6);
  EXPECT_EQ(backend.runs, 15);
}

}  // namespace
}  // namespace adwp::test
