// The evaluator on a device that records work: a network's batches are recorded once and replayed.
#define ADWP_GPU emulated
#include "nas/evaluation/evaluator.h"

#include "cuda/runtime/gpu_backend.h"
#include "nas/weights/parameter_weights.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

class CountedCaptures : public emulated::GpuBackend {
 public:
  CountedCaptures() : GpuBackend(GpuOptions{}) {}
  std::unique_ptr<Graph> capture(const std::function<void()>& work) override {
    ++captures;
    return GpuBackend::capture(work);
  }
  int captures = 0;
};

TEST(EvaluatorReplay, BatchesAreRecordedOncePerNetworkToTheSameBits) {
  constexpr nas::Task task{8, 3, 10};
  CountedCaptures backend;
  const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
  std::vector<nas::NetworkPlan> plans;
  for (std::uint64_t i = 0; i < 3; ++i) {
    Random random(3, Purpose::test, i);
    plans.push_back(nas::plan_network(space.sample(random), task));
  }
  auto scores = [&](std::int64_t images, bool guarded) {
    Arena arena(backend, std::size_t{64} << 20, Arena::Options{.guard = guarded});  // with sentinels: called
    data::ImageSet set{8, 8, 3, {}, {}};
    Random random(4, Purpose::test);
    for (std::int64_t i = 0; i < images; ++i) {
      set.labels.push_back(static_cast<std::int32_t>(random.below(10)));
      for (int p = 0; p < 8 * 8 * 3; ++p) set.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
    }
    const auto held_out = data::DeviceImages::upload(arena, set);
    nas::SharedWeights source(arena, space, task, 1);
    nas::Evaluator evaluator(backend, arena, held_out, PixelNorm{}, 4, 3);
    backend.captures = 0;
    std::vector<double> numbers;
    for (const nas::Score& score : evaluator.evaluate(source, plans)) {
      numbers.insert(numbers.end(), {score.loss, score.accuracy});
    }
    return numbers;
  };
  const std::vector<double> called = scores(20, true);
  EXPECT_EQ(backend.captures, 0);
  EXPECT_EQ(scores(20, false), called);
  EXPECT_EQ(backend.captures, 3) << "five batches of each of three networks";
  scores(12, false);
  EXPECT_EQ(backend.captures, 0) << "three batches do not pay for a recording";
}

}  // namespace
}  // namespace adwp::test
