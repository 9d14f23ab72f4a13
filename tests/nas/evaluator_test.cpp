// The evaluator on a device that records work: a network's batches are recorded once and replayed. And
// forward passes whose values lie as bf16.
#define ADWP_GPU emulated
#include "nas/evaluation/evaluator.h"

#include "cuda/runtime/gpu_backend.h"
#include "nas/network/macro_network.h"
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

// Networks of both presets, batch norm by the batch and by given statistics: logits are those of f32, but for
// what rounding leaves of some thirty values in a row; values between operators take little more than half
// the memory.
TEST(EvaluatorStorage, ValuesInBf16TakeHalfTheMemoryToTheSameLogits) {
  constexpr nas::Task task{8, 3, 10};
  constexpr std::int64_t batch = 16;
  const oracle::Array images = random_array(Shape{batch, task.image_size, task.image_size, task.channels}, 5);
  struct Found {
    oracle::Array by_batch, given;
    std::size_t bytes = 0;
  };
  for (const char* preset : {"tiny", "cifar"}) {
    const nas::SearchSpace space = nas::SearchSpace::preset(preset);
    Random random(3, Purpose::test);
    const nas::NetworkPlan plan = nas::plan_network(space.sample(random), task);
    const auto logits = [&](Precision precision) {
      emulated::GpuBackend backend(GpuOptions{.precision = precision});
      Arena arena(backend, std::size_t{256} << 20);
      nas::TrainedWeights source(arena, plan, 1);
      Tape tape(backend, arena, Tape::Recording::off);
      const nas::NetworkWeights weights = source.weights(tape, plan);
      const Tensor x = Tensor::from_host(arena, images.shape, std::span<const float>(to_floats(images)));
      nas::RunningStatistics statistics(arena, plan);
      const std::size_t before = arena.in_use();
      arena.forget_peak();
      Found found;
      found.by_batch = to_array(nas::forward(tape, plan, weights, x).value());
      found.bytes = arena.peak() - before;
      found.given = to_array(nas::forward(tape, plan, weights, x, {.given = &statistics.layers()}).value());
      return found;
    };
    const Found exact = logits(Precision::f32), narrow = logits(Precision::bf16);
    EXPECT_LT(nmse(narrow.by_batch, exact.by_batch), 2e-3) << preset;
    EXPECT_LT(nmse(narrow.given, exact.given), 2e-3) << preset;
    EXPECT_GT(nmse(narrow.given, exact.given), 1e-9) << preset;
    // Moments and statistics stay f32.
    EXPECT_LT(static_cast<double>(narrow.bytes), 0.65 * static_cast<double>(exact.bytes)) << preset;
  }
}

}  // namespace
}  // namespace adwp::test
