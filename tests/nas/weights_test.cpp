// Weight sources and the networks they feed: shapes, statistics, gradients that flow, and evaluation
// that stays on the device.
#include <cmath>

#include "framework/core/error.h"
#include "nas/evaluation/evaluator.h"
#include "nas/network/macro_network.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/training/network_trainer.h"
#include "nas/weights/hypernetwork.h"
#include "nas/weights/parameter_weights.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

constexpr nas::Task task{8, 3, 10};

class Weights : public DeviceTest {
 protected:
  nas::SearchSpace space() const {
    nas::SearchSpace s = nas::SearchSpace::preset("tiny");
    s.operations.push_back(nas::Operation::from_text("inverted3_e3_se"));
    return s;
  }
  nas::NetworkPlan sample(std::uint64_t i) const {
    Random random(11, Purpose::test, i);
    return nas::plan_network(space().sample(random), task);
  }
  std::vector<std::unique_ptr<nas::WeightSource>> sources() { return sources(space()); }
  std::vector<std::unique_ptr<nas::WeightSource>> sources(const nas::SearchSpace& s) {
    std::vector<std::unique_ptr<nas::WeightSource>> all;
    all.push_back(
        std::make_unique<nas::HyperNetwork>(arena(), s, task, nas::HyperNetworkOptions{.width = 32}, 1));
    all.push_back(std::make_unique<nas::HyperNetwork>(
        arena(), s, task, nas::HyperNetworkOptions{.width = 32, .shared_kernel = true}, 1));
    all.push_back(std::make_unique<nas::HyperNetwork>(
        arena(), s, task, nas::HyperNetworkOptions{.width = 16, .predict_norm = false, .network_code = false},
        1));
    all.push_back(std::make_unique<nas::SharedWeights>(arena(), s, task, 1));
    return all;
  }
  void expect_fit(const nas::SearchSpace& of);
  data::DeviceImages images(std::int64_t count) { return images(arena(), count); }
  static data::DeviceImages images(Arena& a, std::int64_t count) {
    Random random(12, Purpose::test);
    data::ImageSet set{8, 8, 3, {}, {}};
    for (std::int64_t i = 0; i < count; ++i) {
      const auto label = static_cast<std::int32_t>(i % 10);
      set.labels.push_back(label);
      // A problem that can be learnt: the class is the brightness.
      for (int p = 0; p < 8 * 8 * 3; ++p) {
        set.pixels.push_back(static_cast<std::uint8_t>(20 * label + static_cast<int>(random.below(40))));
      }
    }
    return data::DeviceImages::upload(a, set);
  }
  PixelNorm norm() const { return {{0.5f, 0.5f, 0.5f, 0}, {0.25f, 0.25f, 0.25f, 1}}; }
};

void Weights::expect_fit(const nas::SearchSpace& of) {
  std::vector<nas::Architecture> networks = of.widest_networks();
  for (std::uint64_t i = 0; i < 4; ++i) {
    Random random(11, Purpose::test, i);
    networks.push_back(of.sample(random));
  }
  for (auto& source : sources(of)) {
    for (const nas::Architecture& network : networks) {
      const nas::NetworkPlan plan = nas::plan_network(network, task);
      const Arena::Frame frame(arena());
      Tape tape(backend(), arena(), Tape::Recording::off);
      const nas::NetworkWeights w = source->weights(tape, plan);
      ASSERT_EQ(w.layers.size(), plan.layers.size());
      for (std::size_t l = 0; l < plan.layers.size(); ++l) {
        EXPECT_EQ(w.layers[l].kernel.shape(), plan.layers[l].kernel_shape());
        EXPECT_EQ(w.layers[l].shift.shape(), (Shape{plan.layers[l].out_channels}));
        EXPECT_EQ(w.layers[l].scale.defined(), plan.layers[l].norm);
      }
      const Tensor x = upload(random_array(Shape{2, 8, 8, 3}, 13));
      const oracle::Array logits = to_array(nas::forward(tape, plan, w, x).value());
      EXPECT_EQ(logits.shape, (Shape{2, 10}));
      for (double v : logits.values) EXPECT_TRUE(std::isfinite(v));
    }
  }
}

TEST_P(Weights, EverySourceFitsEveryNetwork) {
  expect_fit(space());
  // Expansions of what comes in, of a concatenation at the most, and first blocks that are projections.
  nas::SearchSpace other = space();
  other.residual = nas::Residual::always;
  other.operations.clear();
  for (const char* text : {"projection", "inverted3_e3_in", "inverted5_e6_in"}) {
    other.operations.push_back(nas::Operation::from_text(text));
  }
  expect_fit(other);
}

// All kernels, scales, shifts and classifiers of a network, side by side.
std::vector<float> flattened(const nas::NetworkWeights& weights) {
  std::vector<float> all;
  const auto append = [&](const Variable& part) {
    if (!part.defined()) return;
    const std::vector<float> values = part.value().to_host<float>();
    all.insert(all.end(), values.begin(), values.end());
  };
  for (const nas::LayerWeights& layer : weights.layers) {
    for (const Variable* part : {&layer.kernel, &layer.scale, &layer.shift}) append(*part);
  }
  append(weights.classifier);
  append(weights.classifier_bias);
  return all;
}

TEST_P(Weights, OfManyNetworksAreThoseOfEach) {
  std::vector<nas::NetworkPlan> plans;
  for (std::uint64_t i = 0; i < 4; ++i) plans.push_back(sample(60 + i));
  plans.push_back(nas::plan_network(space().smallest(), task));
  for (auto& source : sources()) {
    const Arena::Frame frame(arena());
    Tape tape(backend(), arena(), Tape::Recording::off);
    const std::vector<nas::NetworkWeights> together = source->weights(tape, plans);
    ASSERT_EQ(together.size(), plans.size());
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const std::vector<float> many = flattened(together[i]),
                               one = flattened(source->weights(tape, plans[i]));
      ASSERT_EQ(many.size(), one.size());
      if (backend().batch_invariant()) {
        EXPECT_EQ(many, one) << "network " << i;
      }
      double difference = 0, squares = 0;
      for (std::size_t j = 0; j < one.size(); ++j) {
        difference += (double{many[j]} - one[j]) * (double{many[j]} - one[j]);
        squares += double{one[j]} * one[j];
      }
      EXPECT_LE(difference, 1e-11 * squares) << "network " << i;
    }
  }
}

TEST_P(Weights, PredictedKernelsStartAtTheirFanInsScale) {
  nas::HyperNetwork source(arena(), space(), task, {}, 3);
  const nas::NetworkPlan plan = nas::plan_network(space().largest(), task);
  const Arena::Frame frame(arena());
  Tape tape(backend(), arena(), Tape::Recording::off);
  const nas::NetworkWeights w = source.weights(tape, plan);
  for (std::size_t l = 1; l < plan.layers.size(); ++l) {
    const oracle::Array kernel = to_array(w.layers[l].kernel.value());
    if (kernel.values.size() < 1000) continue;
    double square = 0;
    for (double v : kernel.values) square += v * v / static_cast<double>(kernel.values.size());
    const double wanted = 1.0 / static_cast<double>(plan.layers[l].fan_in());
    EXPECT_GT(square, wanted / 4) << plan.layers[l].name;
    EXPECT_LT(square, wanted * 4) << plan.layers[l].name;
  }
}

TEST_P(Weights, DifferentNetworksGetDifferentKernels) {
  nas::HyperNetwork source(arena(), space(), task, {.width = 32}, 3);
  // The same first block in two networks that differ elsewhere: the network's code tells them apart.
  nas::Architecture a = space().smallest();
  nas::Architecture b = a;
  b.stages.back().width = space().max_width(2);
  Tape tape(backend(), arena(), Tape::Recording::off);
  auto first_kernel = [&](const nas::Architecture& architecture) {
    return source.weights(tape, nas::plan_network(architecture, task))
        .layers[1]
        .kernel.value()
        .to_host<float>();
  };
  EXPECT_NE(first_kernel(a), first_kernel(b));
  EXPECT_EQ(first_kernel(a), first_kernel(a));
}

// The loss's gradient by the source's parameters, along a random direction, against finite
// differences of the whole: prediction, assembly, network and loss.
TEST_P(Weights, GradientsFlowThroughPredictionIntoTheSource) {
  const Tensor x = upload(random_array(Shape{16, 8, 8, 3}, 14));
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 16; ++i) labels.push_back(i % 10);
  const Tensor y = upload(Shape{16}, labels);
  for (auto& source : sources()) {
    for (std::uint64_t i = 0; i < 3; ++i) {
      const nas::NetworkPlan plan = sample(20 + i);
      nn::ParameterStore& store = source->parameters();
      const oracle::Array at = to_array(store.values());
      auto loss = [&](Tape::Recording recording) {
        const Arena::Frame frame(arena());
        Tape tape(backend(), arena(), recording);
        const Variable l =
            ops::cross_entropy(tape, nas::forward(tape, plan, source->weights(tape, plan), x), y, 0.0f);
        const double value = l.value().to_host<float>()[0];
        if (recording == Tape::Recording::on) tape.backward(l);
        return value;
      };
      store.zero_gradients();
      loss(Tape::Recording::on);
      const oracle::Array gradient = to_array(store.gradients());
      double norm = 0;
      for (double g : gradient.values) norm += g * g;
      norm = std::sqrt(norm);
      ASSERT_GT(norm, 1e-4);
      // Along the gradient itself the slope is its norm. ReLU's kinks bend the line a little.
      const double h = 2e-3;
      auto moved = [&](double by) {
        oracle::Array to = at;
        for (std::size_t k = 0; k < to.values.size(); ++k) to.values[k] += by * gradient.values[k] / norm;
        store.values().copy_from(upload(to));
        return loss(Tape::Recording::off);
      };
      const double slope = (moved(h) - moved(-h)) / (2 * h);
      store.values().copy_from(upload(at));
      EXPECT_NEAR(slope / norm, 1, 0.05) << plan.architecture.to_json();
    }
  }
}

TEST_P(Weights, TrainingASourceLearns) {
  ADWP_SKIP_WHERE_SLOW();
  nas::SearchSpace few = space();
  few.operations = {nas::Operation::from_text("dense3"), nas::Operation::from_text("inverted3_e3")};
  few.stages = {{{8, 16}, 1, 2, 1}, {{16, 24}, 1, 1, 2}};
  const data::DeviceImages train = images(200);
  std::vector<nas::NetworkPlan> plans;
  for (std::uint64_t i = 0; i < 4; ++i) {
    Random random(15, Purpose::test, i);
    plans.push_back(nas::plan_network(few.sample(random), task));
  }
  auto learns = [&](nas::WeightSource& source) {
    const std::int64_t epochs = executes_ptx() ? 10 : 40;
    nas::HyperTrainer trainer(backend(), arena(), source, few, task, train, norm(),
                              {.epochs = epochs, .batch = 20, .augmentation = {}, .seed = 5});
    const double before = trainer.run_epoch(0);
    double after = 0;
    for (std::int64_t epoch = 1; epoch < epochs; ++epoch) after = trainer.run_epoch(epoch);
    EXPECT_LT(after, (executes_ptx() ? 0.95 : 0.7) * before);
    nas::Evaluator evaluator(backend(), arena(), train, norm(), 100, 4);
    double mean = 0;
    for (const nas::Score& score : evaluator.evaluate(source, plans)) mean += score.accuracy / 4;
    EXPECT_GT(mean, executes_ptx() ? 0.15 : 0.4) << "chance is 0.1";
  };
  nas::HyperNetwork predicted(arena(), few, task, {.width = 32}, 1);
  learns(predicted);
  nas::HyperNetwork plain(arena(), few, task, {.width = 32, .predict_norm = false, .network_code = false}, 1);
  learns(plain);
  nas::HyperNetwork changes(arena(), few, task, {.width = 32, .shared_kernel = true}, 1);
  learns(changes);
  nas::SharedWeights shared(arena(), few, task, 1);
  learns(shared);
}

TEST_P(Weights, EvaluationAllocatesNothingAndReadsOnceForAllNetworks) {
  const data::DeviceImages held_out = images(120);
  nas::HyperNetwork source(arena(), space(), task, {.width = 32}, 3);
  // Without sentinels: checking them reads from the device.
  Arena plain(backend(), std::size_t{64} << 20);
  const data::DeviceImages set{[&] {
                                 Tensor t(plain, held_out.pixels.shape(), DType::u8);
                                 t.copy_from(held_out.pixels);
                                 return t;
                               }(),
                               [&] {
                                 Tensor t(plain, held_out.labels.shape(), DType::i32);
                                 t.copy_from(held_out.labels);
                                 return t;
                               }()};
  nas::HyperNetwork own(plain, space(), task, {.width = 32}, 3);
  std::vector<nas::NetworkPlan> plans;
  for (std::uint64_t i = 0; i < 5; ++i) plans.push_back(sample(40 + i));
  struct Counts {
    std::int64_t allocations, reads, writes;
  };
  auto counts_with_batches_of = [&](std::int64_t batch) {
    nas::Evaluator evaluator(backend(), plain, set, norm(), batch, 5);
    const MemoryCounters before = backend().counters();
    evaluator.evaluate(own, plans);
    const MemoryCounters after = backend().counters();
    return Counts{after.allocations - before.allocations, after.host_reads - before.host_reads,
                  after.host_writes - before.host_writes};
  };
  const Counts few = counts_with_batches_of(60), many = counts_with_batches_of(10);
  EXPECT_EQ(few.allocations, 0);
  EXPECT_EQ(many.allocations, 0);
  EXPECT_EQ(few.reads, 1) << "one table for all networks";
  EXPECT_EQ(many.reads, 1);
  EXPECT_EQ(few.writes, many.writes) << "what is sent is per network, nothing per batch";
  plans.resize(1);
  const Counts one = counts_with_batches_of(60);
  if (backend().batch_invariant()) {
    EXPECT_LT(few.writes, 2 * one.writes) << "what networks are predicted from is sent together";
  } else {
    EXPECT_GT(few.writes, 3 * one.writes);
  }
}

// Where the arena has room for fewer, fewer are predicted together.
TEST_P(Weights, EvaluationInATightArenaIsTheSame) {
  std::vector<nas::NetworkPlan> plans;
  for (std::uint64_t i = 0; i < 4; ++i) plans.push_back(sample(50 + i));
  const auto scores = [&](Arena& in, bool dry) {
    const data::DeviceImages held_out = dry ? data::DeviceImages::reserve(in, 12, 8, 8, 3) : images(in, 12);
    nas::HyperNetwork source(in, space(), task, {.width = 32}, 3);
    nas::Evaluator evaluator(backend(), in, held_out, norm(), 12, 4);
    std::vector<double> losses;
    if (dry) {
      const Tensor score(in, Shape{1, 2});
      for (const nas::NetworkPlan& plan : plans) evaluator.enqueue(in, source, std::span(&plan, 1), score);
      return losses;
    }
    for (const nas::Score& score : evaluator.evaluate(source, plans)) losses.push_back(score.loss);
    return losses;
  };
  Arena counting = Arena::counting(backend());
  scores(counting, true);
  Arena tight(backend(), counting.peak()), roomy(backend(), std::size_t{64} << 20);
  EXPECT_EQ(scores(tight, false), scores(roomy, false));
  if (backend().batch_invariant()) {
    EXPECT_GT(roomy.peak(), tight.peak()) << "or this shows nothing";
  }
}

TEST_P(Weights, EvaluationIsTheSameAloneAndInCompany) {
  const data::DeviceImages held_out = images(60);
  nas::HyperNetwork source(arena(), space(), task, {.width = 32}, 3);
  nas::Evaluator evaluator(backend(), arena(), held_out, norm(), 30, 3);
  const std::vector<nas::NetworkPlan> plans = {sample(50), sample(51), sample(52)};
  const std::vector<nas::Score> together = evaluator.evaluate(source, plans);
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const nas::Score alone = evaluator.evaluate(source, std::span(&plans[i], 1)).front();
    EXPECT_EQ(alone.loss, together[i].loss);
    EXPECT_EQ(alone.accuracy, together[i].accuracy);
  }
  EXPECT_THROW(evaluator.evaluate(source, std::vector<nas::NetworkPlan>(4, plans[0])), Error);
}

TEST_P(Weights, TrainingFromScratchLearnsAndRepeats) {
  const data::DeviceImages train = images(200);
  auto trained = [&](std::uint64_t seed) {
    const Arena::Frame frame(arena());
    nas::NetworkTrainer trainer(backend(), arena(), sample(60), train, norm(),
                                {.epochs = 6, .batch = 20, .augmentation = {}, .seed = seed});
    for (std::int64_t epoch = 0; epoch < 6; ++epoch) trainer.run_epoch(epoch);
    return trainer.evaluate(train, 64);
  };
  const nas::Score first = trained(1), again = trained(1), other = trained(2);
  EXPECT_GT(first.accuracy, 0.6) << "with running statistics; chance is 0.1";
  EXPECT_EQ(first.loss, again.loss);
  EXPECT_NE(first.loss, other.loss);
}

// Recorded steps and batches against called ones: an arena with sentinels records nothing.
TEST_P(Weights, TrainingAndEvaluationReplayToTheSameBits) {
  auto trained = [&](Arena& a) {
    const data::DeviceImages train = images(a, 20);
    nas::NetworkTrainer trainer(backend(), a, sample(60), train, norm(),
                                {.epochs = 2, .batch = 4, .seed = 5});
    std::vector<double> losses;
    for (std::int64_t epoch = 0; epoch < 2; ++epoch) losses.push_back(trainer.run_epoch(epoch));
    const nas::Score score = trainer.evaluate(train, 6);  // three batches and a part of one
    losses.insert(losses.end(), {score.loss, score.accuracy});
    std::vector<float> numbers = trainer.weights().parameters().values().to_host<float>();
    const std::vector<float> statistics = trainer.statistics().flat().to_host<float>();
    numbers.insert(numbers.end(), statistics.begin(), statistics.end());
    return std::pair(losses, numbers);
  };
  Arena plain(backend(), std::size_t{64} << 20);
  EXPECT_EQ(trained(plain), trained(arena()));
}

// Two epochs, the second stopped after three batches and gone on with from there: the same losses and
// weights, to the bit.
TEST_P(Weights, AnEpochGoesOnFromABatch) {
  struct Stop {};
  const auto train = [](auto& trainer, bool stopped) {
    std::vector<double> losses{trainer.run_epoch(0)};
    nas::EpochPosition from;
    if (stopped) {
      try {
        int batches = 0;
        trainer.run_epoch(1, [&](double) {
          if (++batches == 3) throw Stop{};
        });
      } catch (const Stop&) {
        from = trainer.position();
      }
      EXPECT_EQ(from.batches, 3);
      std::map<std::string, std::string> facts;  // as a checkpoint would hold it
      from.write(facts);
      from = nas::EpochPosition::read(facts);
    }
    losses.push_back(trainer.run_epoch(1, {}, from));
    return losses;
  };
  const data::DeviceImages some = images(40);
  auto network = [&](bool stopped) {
    const Arena::Frame frame(arena());
    nas::NetworkTrainer trainer(backend(), arena(), sample(60), some, norm(),
                                {.epochs = 2, .batch = 8, .seed = 5});
    const std::vector<double> losses = train(trainer, stopped);
    return std::pair(losses, trainer.weights().parameters().values().template to_host<float>());
  };
  EXPECT_EQ(network(false), network(true));
  const nas::SearchSpace s = space();
  auto source = [&](bool stopped) {
    const Arena::Frame frame(arena());
    nas::HyperNetwork hypernetwork(arena(), s, task, {.width = 16}, 3);
    nas::HyperTrainer trainer(backend(), arena(), hypernetwork, s, task, some, norm(),
                              {.epochs = 2, .batch = 8, .architectures_per_step = 2, .seed = 5});
    const std::vector<double> losses = train(trainer, stopped);
    return std::pair(losses, hypernetwork.parameters().values().template to_host<float>());
  };
  EXPECT_EQ(source(false), source(true));
}

TEST_P(Weights, ALossThatIsNotFiniteStopsTrainingWithItsStepAndArchitecture) {
  const data::DeviceImages train = images(200);
  const Arena::Frame frame(arena());
  nas::NetworkTrainer trainer(
      backend(), arena(), sample(61), train, norm(),
      {.epochs = 3, .batch = 20, .learning_rate = 1e30f, .clip = 0, .warmup_epochs = 0, .augmentation = {}});
  try {
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) trainer.run_epoch(epoch);
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("step"), std::string::npos) << what;
    EXPECT_NE(what.find("\"stages\""), std::string::npos) << what;
  }
}

TEST_P(Weights, ADryRunTellsTheArenaThatSuffices) {
  const nas::NetworkPlan plan = sample(62);
  const data::DeviceImages train = images(200);
  const nas::NetworkTrainingOptions options{.epochs = 1, .batch = 20, .augmentation = {}};
  Arena counting = Arena::counting(backend());
  nas::NetworkTrainer::dry_run(backend(), counting, plan, train, norm(), options, 50);
  Arena exact(backend(), counting.peak());
  const Arena::Frame frame(exact);
  nas::NetworkTrainer trainer(backend(), exact, plan, train, norm(), options);
  EXPECT_NO_THROW(trainer.run_epoch(0));
  EXPECT_NO_THROW(trainer.evaluate(train, 50));
}

ADWP_ON_EVERY_DEVICE(Weights);

}  // namespace
}  // namespace adwp::test
