// Epochs against loops that spell out which batch, which architecture and which learning rate a step takes.
#include <tuple>

#include "nas/network/macro_network.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/training/network_trainer.h"
#include "nas/weights/parameter_weights.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

constexpr nas::Task task{8, 3, 10};
constexpr std::int64_t batch = 4;

class TrainerReference : public DeviceTest {
 protected:
  data::DeviceImages images() {
    Random random(31, Purpose::test);
    data::ImageSet set{8, 8, 3, {}, {}};
    for (int n = 0; n < 12; ++n) set.labels.push_back(static_cast<std::int32_t>(random.below(10)));
    for (int p = 0; p < 12 * 8 * 8 * 3; ++p)
      set.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
    return data::DeviceImages::upload(arena(), set);
  }
  // Batch `i` of epoch `epoch`, as the trainers' loaders make it.
  std::pair<Tensor, Tensor> load(const data::DeviceImages& set, std::uint64_t seed, std::int64_t epoch,
                                 std::int64_t i) {
    data::Loader loader(backend(), arena(), set, batch, norm_, augmentation_, seed);
    loader.begin_epoch(epoch);
    const Tensor x(arena(), Shape{batch, 8, 8, 3}), y(arena(), Shape{batch}, DType::i32);
    loader.load(i, x, y);
    return {x, y};
  }

  nas::SearchSpace space_ = nas::SearchSpace::preset("tiny");
  PixelNorm norm_{{0.5f, 0.5f, 0.5f, 0}, {0.25f, 0.25f, 0.25f, 1}};
  Augmentation augmentation_{.shift = 1, .flip = true};
};

// One rank, as if its device were linked with others.
struct LinkedGroup : parallel::Group {
  int gathered = 0;
  bool links(Memory&) override { return true; }
  using Group::gather;
  void gather(const Tensor& mine, const Tensor& all) override {
    ++gathered;
    Group::gather(mine, all);
  }
};

TEST_P(TrainerReference, MicroBatchesSummedOnTheDeviceComeToTheSameBitsAsThroughTheHost) {
  Random random(33, Purpose::test);
  const nas::NetworkPlan plan = nas::plan_network(space_.sample(random), task);
  const auto set = images();
  const nas::NetworkTrainingOptions options{
      .epochs = 1, .batch = 6, .micro_batches = 3, .augmentation = augmentation_, .seed = 5};
  nas::NetworkTrainer staged(backend(), arena(), plan, set, norm_, options);
  nas::NetworkTrainer linked(backend(), arena(), plan, set, norm_, options);
  LinkedGroup group;
  bool told = false;
  linked.share_with(group, [&] { return told; });
  EXPECT_EQ(staged.run_epoch(0), linked.run_epoch(0));
  EXPECT_EQ(group.gathered, 2);
  EXPECT_FALSE(linked.stopping());
  EXPECT_EQ(staged.weights().parameters().values().to_host<float>(),
            linked.weights().parameters().values().to_host<float>());
  EXPECT_EQ(staged.statistics().flat().to_host<float>(), linked.statistics().flat().to_host<float>());
  told = true;
  linked.run_epoch(0);
  EXPECT_TRUE(linked.stopping());
}

TEST_P(TrainerReference, EpochsOfANetworkAreItsStepsInOrder) {
  Random random(32, Purpose::test);
  const nas::NetworkPlan plan = nas::plan_network(space_.sample(random), task);
  const auto set = images();
  const nas::NetworkTrainingOptions options{
      .epochs = 2, .batch = batch, .learning_rate = 0.5f, .augmentation = augmentation_, .seed = 5};
  nas::NetworkTrainer trainer(backend(), arena(), plan, set, norm_, options);
  nas::NetworkTrainer by_hand(backend(), arena(), plan, set, norm_, options);
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    double loss = 0;
    for (std::int64_t b = 0; b < 3; ++b) {
      const auto [x, y] = load(set, 5, epoch, b);
      // Six steps have no twentieth to warm up in.
      const float rate = optim::cosine_schedule(0.5f, 3 * epoch + b, 0, 6);
      loss += by_hand.train_step(x, y, rate).to_host<float>()[0] / 3;
    }
    EXPECT_NEAR(trainer.run_epoch(epoch), loss, 1e-4);
  }
  const oracle::Array expected = to_array(by_hand.weights().parameters().values());
  EXPECT_LE(nmse(to_array(trainer.weights().parameters().values()), expected), 1e-8);
  EXPECT_LE(nmse(to_array(trainer.statistics().flat()), to_array(by_hand.statistics().flat())), 1e-8);
}

TEST_P(TrainerReference, WarmsUpForHalfAnEpochOrATwentiethOfAllSteps) {
  Random random(32, Purpose::test);
  const nas::NetworkPlan plan = nas::plan_network(space_.sample(random), task);
  const auto set = images();
  // Three batches an epoch: two epochs of warm-up are six steps; a twentieth of 60 steps is three.
  for (const auto& [epochs, warmup] : {std::pair(100, 6), std::pair(20, 3)}) {
    const nas::NetworkTrainer trainer(
        backend(), arena(), plan, set, norm_,
        {.epochs = epochs, .batch = batch, .learning_rate = 0.5f, .warmup_epochs = 2});
    for (std::int64_t step = 0; step < 10; ++step) {
      EXPECT_EQ(trainer.learning_rate(step), optim::cosine_schedule(0.5f, step, warmup, 3 * epochs)) << step;
    }
  }
}

// Restarts after 20 and 60 of 160 epochs: each part has the schedule of a training as long as itself.
TEST_P(TrainerReference, AfterARestartTheScheduleBeginsAnew) {
  Random random(32, Purpose::test);
  const nas::NetworkPlan plan = nas::plan_network(space_.sample(random), task);
  const auto set = images();
  const nas::NetworkTrainer trainer(
      backend(), arena(), plan, set, norm_,
      {.epochs = 160, .batch = batch, .learning_rate = 0.5f, .warmup_epochs = 2, .restarts = {20, 60}});
  // A twentieth of 60, 120 and 300 steps, but six at most.
  for (const auto& [begin, epochs, warmup] : {std::tuple(0, 20, 3), {20, 40, 6}, {60, 100, 6}}) {
    for (const std::int64_t step : {0, 1, 5, 30, 3 * epochs - 1}) {
      EXPECT_EQ(trainer.learning_rate(3 * begin + step),
                optim::cosine_schedule(0.5f, step, warmup, 3 * epochs))
          << begin << " + " << step;
    }
  }
}

TEST_P(TrainerReference, RunningStatisticsMoveByTheMomentum) {
  Random random(32, Purpose::test);
  const nas::NetworkPlan plan = nas::plan_network(space_.sample(random), task);
  const auto set = images();
  nas::NetworkTrainer trainer(backend(), arena(), plan, set, norm_, {.epochs = 2, .batch = batch, .seed = 5});
  const auto [x, y] = load(set, 5, 0, 0);
  std::vector<ops::BatchStatistics> seen;
  Tape tape(backend(), arena(), Tape::Recording::off);
  nas::forward(tape, plan, trainer.weights().weights(tape, plan), x, {.collect = &seen});
  trainer.train_step(x, y, 0);
  for (std::size_t layer = 0; layer < plan.layers.size(); ++layer) {
    if (!plan.layers[layer].norm) continue;
    oracle::Array mean = to_array(seen[layer].mean), var = to_array(seen[layer].var);
    for (double& value : mean.values) value *= 0.1;
    for (double& value : var.values) value = 0.9 + 0.1 * value;
    EXPECT_LE(nmse(to_array(trainer.statistics().layers()[layer].mean), mean), 1e-8);
    EXPECT_LE(nmse(to_array(trainer.statistics().layers()[layer].var), var), 1e-8);
  }
}

TEST_P(TrainerReference, GradientsAreThoseOfTheLastStep) {
  Random random(32, Purpose::test);
  const nas::NetworkPlan plan = nas::plan_network(space_.sample(random), task);
  const auto set = images();
  const nas::NetworkTrainingOptions options{.epochs = 2, .batch = batch, .seed = 5};
  nas::NetworkTrainer trainer(backend(), arena(), plan, set, norm_, options);
  nas::NetworkTrainer once(backend(), arena(), plan, set, norm_, options);
  for (std::int64_t b : {0, 1}) {
    const auto [x, y] = load(set, 5, 0, b);
    trainer.train_step(x, y, 0);
    if (b == 1) once.train_step(x, y, 0);
  }
  EXPECT_LE(nmse(to_array(trainer.weights().parameters().gradients()),
                 to_array(once.weights().parameters().gradients())),
            1e-10);
}

TEST_P(TrainerReference, EpochsOfASourceAreItsStepsInOrder) {
  const auto set = images();
  const nas::HyperTrainingOptions options{.epochs = 2,
                                          .batch = batch,
                                          .learning_rate = 0.01f,
                                          .warmup = 0.5,
                                          .augmentation = augmentation_,
                                          .seed = 6};
  nas::SharedWeights source(arena(), space_, task, 1), other(arena(), space_, task, 1);
  nas::HyperTrainer trainer(backend(), arena(), source, space_, task, set, norm_, options);
  nas::HyperTrainer by_hand(backend(), arena(), other, space_, task, set, norm_, options);
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    trainer.run_epoch(epoch);
    for (std::int64_t b = 0; b < 3; ++b) {
      const Arena::Frame frame(arena());
      const auto [x, y] = load(set, 6, epoch, b);
      const std::int64_t step = 3 * epoch + b;
      Random random(6, Purpose::architecture, static_cast<std::uint64_t>(step));
      // Over the first half, three steps, the stages grow from one block to three.
      nas::SearchSpace space = space_;
      for (nas::StageSpace& stage : space.stages) stage.max_depth = std::min<int>(1 + step, 3);
      const nas::NetworkPlan plan = nas::plan_network(space.sample(random), task);
      by_hand.train_step(plan, x, y, optim::cosine_schedule(0.01f, 3 * epoch + b, 3, 6));
    }
  }
  EXPECT_LE(nmse(to_array(source.parameters().values()), to_array(other.parameters().values())), 1e-8);
}

TEST_P(TrainerReference, GradientsOfAStepsNetworksAreAveraged) {
  const auto set = images();
  nas::SharedWeights source(arena(), space_, task, 1);
  oracle::Array expected(source.parameters().values().shape());
  double loss = 0;
  const auto [x, y] = load(set, 6, 0, 2);
  for (std::uint64_t i = 4; i < 6; ++i) {  // the architectures of the third step, whose gradients stay
    const Arena::Frame frame(arena());
    Random random(6, Purpose::architecture, i);
    const nas::NetworkPlan plan = nas::plan_network(space_.sample(random), task);
    source.parameters().zero_gradients();
    Tape tape(backend(), arena(), Tape::Recording::on);
    const Variable logits = nas::forward(tape, plan, source.weights(tape, plan), x);
    const Variable one = ops::cross_entropy(tape, logits, y, 0);
    tape.backward(one);
    loss += one.value().to_host<float>()[0] / 2;
    const oracle::Array gradient = to_array(source.parameters().gradients());
    for (std::size_t e = 0; e < expected.values.size(); ++e) expected.values[e] += gradient.values[e] / 2;
  }
  nas::HyperTrainer trainer(backend(), arena(), source, space_, task, set, norm_,
                            {.epochs = 1,
                             .batch = batch,
                             .architectures_per_step = 2,
                             .learning_rate = 0,
                             .weight_decay = 0,
                             .augmentation = augmentation_,
                             .seed = 6});
  // From the epoch's last batch on, with the losses of the four networks before it adding up to 8.
  EXPECT_NEAR(trainer.run_epoch(0, {}, {.batches = 2, .loss_sums = {8}}), (8 + 2 * loss) / 6, 1e-4);
  EXPECT_LE(nmse(to_array(source.parameters().gradients()), expected), 1e-8);
}

ADWP_ON_EVERY_DEVICE(TrainerReference);

}  // namespace
}  // namespace adwp::test
