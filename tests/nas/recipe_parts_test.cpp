// The parts of a training's recipe: averages, drop path, teacher, and all of them across a pause.
#include <algorithm>
#include <cmath>

#include "framework/core/error.h"
#include "framework/io/checkpoint.h"
#include "nas/network/inference.h"
#include "nas/space/search_space.h"
#include "nas/training/network_trainer.h"
#include "tests/support/device.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

constexpr nas::Task task{8, 3, 10};
constexpr std::int64_t batch = 4;

class RecipeParts : public DeviceTest {
 protected:
  static data::ImageSet set() {
    Random random(31, Purpose::test);
    data::ImageSet set{8, 8, 3, {}, {}};
    for (int n = 0; n < 12; ++n) set.labels.push_back(static_cast<std::int32_t>(random.below(10)));
    for (int p = 0; p < 12 * 8 * 8 * 3; ++p) {
      set.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
    }
    return set;
  }
  // A network with residual blocks.
  static nas::NetworkPlan plan() {
    const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
    for (std::uint64_t n = 0;; ++n) {
      Random random(n, Purpose::test);
      nas::NetworkPlan plan = nas::plan_network(space.sample(random), task);
      const auto residual = [](const nas::Step& step) { return step.residual; };
      if (std::count_if(plan.steps.begin(), plan.steps.end(), residual) >= 2) return plan;
    }
  }
  nas::NetworkTrainingOptions all_parts() {
    return {.epochs = 2,
            .batch = batch,
            .learning_rate = 0.1f,
            .cycles = 2,
            .average = 0.9f,
            .progressive = {{4, 0.5}, {6, 1}},
            .label_smoothing = 0.1f,
            .trivial_augment = true,
            .erasing = 0.5f,
            .mixing = {0.5f, 1.0f, 0.9f},
            .drop_path = 0.3f,
            .dropout = 0.2f,
            .auxiliary = 0.4f,
            .teacher = std::make_shared<nas::StoredNetwork>(nas::random_network(backend(), plan(), 3)),
            .teaching = 0.5f,
            .temperature = 2,
            .augmentation = {.shift = 1, .flip = true, .cutout = 3},
            .seed = 5};
  }
  static std::vector<std::vector<float>> bits_of(nas::NetworkTrainer& trainer) {
    std::vector<std::vector<float>> bits{trainer.parameters().values().to_host<float>()};
    for (const auto& [name, tensor] : trainer.further_tensors()) bits.push_back(tensor.to_host<float>());
    for (const auto& [name, tensor] : trainer.optimizer().state()) bits.push_back(tensor.to_host<float>());
    return bits;
  }

  void expect_same_bits_after_a_pause(std::int64_t micro_batches);

  PixelNorm norm_{{0.5f, 0.4f, 0.5f, 0}, {0.25f, 0.2f, 0.25f, 1}};
};

TEST_P(RecipeParts, AveragesFollowTheWeightsByTheirFormula) {
  const auto images = data::DeviceImages::upload(arena(), set());
  nas::NetworkTrainer trainer(backend(), arena(), plan(), images, norm_,
                              {.epochs = 2, .batch = batch, .average = 0.3f, .seed = 5});
  oracle::Array expected = to_array(trainer.parameters().values());
  const Tensor x(arena(), Shape{batch, 8, 8, 3}), y(arena(), Shape{batch}, DType::i32);
  data::Loader loader = data::Loader::sequential(backend(), arena(), images, batch, norm_);
  for (int step = 1; step <= 4; ++step) {
    loader.load(0, x, y);
    trainer.train_step(x, y, 0.2f);
    const double decay = std::min(0.3, (1.0 + step) / (10.0 + step));  // 2/11, 3/12, 4/13, .3
    const oracle::Array now = to_array(trainer.parameters().values());
    for (std::size_t i = 0; i < now.values.size(); ++i) {
      expected.values[i] += (1 - decay) * (now.values[i] - expected.values[i]);
    }
  }
  const auto tensors = trainer.further_tensors();
  for (const auto& entry : trainer.parameters().entries()) {
    const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& named) {
      return named.first == "average." + entry.name;
    });
    ASSERT_NE(found, tensors.end()) << entry.name;
    const auto from = expected.values.begin() + entry.offset;
    const oracle::Array part(entry.shape, {from, from + entry.shape.elements()});
    EXPECT_LE(nmse(to_array(found->second), part), 1e-9) << entry.name;
  }
}

TEST_P(RecipeParts, ACheckpointHoldsBothNetworks) {
  using Which = nas::NetworkTrainer::Which;
  const data::ImageSet pictures = set();
  const auto images = data::DeviceImages::upload(arena(), pictures);
  nas::NetworkTrainer trainer(backend(), arena(), plan(), images, norm_,
                              {.epochs = 1, .batch = batch, .average = 0.9f, .auxiliary = 0.4f, .seed = 5});
  trainer.run_epoch(0);
  const TemporaryDirectory place;
  const std::string path = (place.path() / "network.safetensors").string();
  auto facts = nas::network_facts(plan(), norm_, {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
  io::save_checkpoint(path, trainer.parameters(), &trainer.optimizer(), trainer.further_tensors(), facts);
  const Tensor x(arena(), Shape{12, 8, 8, 3}), y(arena(), Shape{12}, DType::i32);
  data::Loader::sequential(backend(), arena(), images, 12, norm_).load(0, x, y);
  std::vector<std::vector<float>> logits;
  for (const bool raw : {true, false}) {
    const auto stored =
        nas::StoredNetwork::from(io::read_checkpoint(path),
                                 raw ? nas::StoredNetwork::Weights::raw : nas::StoredNetwork::Weights::best);
    Tape tape(backend(), arena(), Tape::Recording::off);
    const Tensor live = trainer.infer(tape, x, raw ? Which::raw : Which::averaged).value();
    logits.push_back(nas::Inference(backend(), stored, 12).logits(pictures));
    EXPECT_EQ(logits.back(), live.to_host<float>()) << raw;
  }
  EXPECT_NE(logits[0], logits[1]);
}

TEST_P(RecipeParts, LogitsWithMirrorsAreTheMeansOfBoth) {
  using Views = nas::Inference::Views;
  const data::ImageSet pictures = set();
  data::ImageSet mirrors = pictures;
  for (std::size_t e = 0; e < mirrors.pixels.size(); ++e) {
    const std::size_t line = e / 24, column = e / 3 % 8, channel = e % 3;
    mirrors.pixels[e] = pictures.pixels[line * 24 + (7 - column) * 3 + channel];
  }
  const nas::StoredNetwork network = nas::random_network(backend(), plan(), 3);
  nas::Inference inference(backend(), network, 5);
  const std::vector<float> one = inference.logits(pictures), other = inference.logits(mirrors);
  const std::vector<float> both = inference.logits(pictures, Views::mirrored_too);
  ASSERT_EQ(both.size(), one.size());
  EXPECT_NE(one, other);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_FLOAT_EQ(both[i], 0.5f * (one[i] + other[i]));
  EXPECT_EQ(inference.logits(mirrors, Views::mirrored_too), both);
}

TEST_P(RecipeParts, AnAuxiliaryHeadStandsBehindTwoThirdsOfTheBlocks) {
  const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
  for (std::uint64_t n = 0; n < 20; ++n) {
    Random random(n, Purpose::test);
    const nas::NetworkPlan network = nas::plan_network(space.sample(random), task);
    std::vector<std::pair<int, int>> blocks;  // stage and number of each
    for (std::size_t s = 0; s < network.architecture.stages.size(); ++s) {
      for (std::size_t b = 0; b < network.architecture.stages[s].blocks.size(); ++b) {
        blocks.emplace_back(s, b);
      }
    }
    const auto place = blocks[(2 * blocks.size() + 2) / 3 - 1];  // of 1, 2, 3, 4: 1, 2, 2, 3
    const nas::AuxiliaryHead head = nas::auxiliary_head(network);
    EXPECT_EQ(head.layer.in_channels,
              network.architecture.stages[static_cast<std::size_t>(place.first)].width);
    EXPECT_GE(network.last_use[static_cast<std::size_t>(head.value)], head.value) << n;
    for (std::size_t s = 0; s < network.steps.size(); ++s) {
      if (network.steps[s].kind != nas::StepKind::layer) continue;
      const nas::LayerSpec& layer = network.layers[static_cast<std::size_t>(network.steps[s].layer)];
      const bool early = std::pair(layer.stage, layer.block) <= place;
      EXPECT_EQ(early, static_cast<int>(s) < head.value) << n << " " << layer.name;
    }
  }
}

// Loss and gradients of the network are those without the head, and its own by their weight.
TEST_P(RecipeParts, AnAuxiliaryLossAddsGradientsByItsWeight) {
  const auto images = data::DeviceImages::upload(arena(), set());
  const Tensor x(arena(), Shape{batch, 8, 8, 3}), y(arena(), Shape{batch}, DType::i32);
  data::Loader::sequential(backend(), arena(), images, batch, norm_).load(0, x, y);
  std::vector<float> losses, own_losses;
  const auto gradients = [&](float weight) {
    const Arena::Frame frame(arena());
    nas::NetworkTrainer trainer(backend(), arena(), plan(), images, norm_,
                                {.epochs = 1, .batch = batch, .auxiliary = weight, .seed = 5});
    const Tensor loss(arena(), Shape{weight > 0 ? 2 : 1});
    trainer.compute_gradients(x, y, loss);
    losses.push_back(loss.to_host<float>().front());
    if (weight > 0) own_losses.push_back(loss.to_host<float>().back());
    const std::vector<float> all = trainer.parameters().gradients().to_host<float>();
    std::map<std::string, std::vector<float>> named;
    for (const auto& entry : trainer.parameters().entries()) {
      const auto from = all.begin() + entry.offset;
      named[entry.name] = {from, from + entry.shape.elements()};
    }
    return named;
  };
  const auto none = gradients(0), half = gradients(0.5f), two = gradients(2);
  EXPECT_EQ(losses, std::vector<float>(3, losses[0]));
  EXPECT_EQ(own_losses, std::vector<float>(2, own_losses[0]));  // whatever their weight
  EXPECT_NE(own_losses[0], losses[0]);
  EXPECT_EQ(half.size(), none.size() + 5);
  // Of all parameters: scales in front of another norm have gradients that cancel but for rounding.
  double moved = 0, largest = 0;
  for (const auto& [name, gradient] : two) {
    for (const float value : gradient) largest = std::max(largest, std::abs(double{value}));
  }
  for (const auto& [name, with_two] : two) {
    const auto& with_half = half.at(name);
    const bool own = name.starts_with("auxiliary.");
    EXPECT_EQ(own, !none.contains(name)) << name;
    std::vector<double> found, expected;
    for (std::size_t i = 0; i < with_two.size(); ++i) {
      const double before = own ? 0 : none.at(name)[i];
      found.push_back(with_two[i] - before);
      expected.push_back(4 * (with_half[i] - before));
      moved += own ? 0 : std::abs(found.back());
    }
    for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-5 * largest) << name;
  }
  EXPECT_GT(moved, 0);
  EXPECT_EQ(two.at("classifier.weight"), none.at("classifier.weight"));
}

TEST_P(RecipeParts, DropPathIsLinearInDepth) {
  const nas::NetworkPlan network = plan();
  constexpr std::int64_t rows = 64;
  nas::DropMasks drops(backend(), arena(), network, rows, 0.5f, 0, 9);
  std::vector<double> kept(network.steps.size());
  constexpr int steps = 40;
  for (int step = 0; step < steps; ++step) {
    drops.draw(step);
    for (std::size_t s = 0; s < network.steps.size(); ++s) {
      const Tensor& mask = drops.masks().paths[s];
      ASSERT_EQ(mask.defined(), network.steps[s].residual);
      if (!mask.defined()) continue;
      const auto values = mask.to_host<float>();
      const auto channels = static_cast<std::size_t>(mask.shape()[3]);
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t c = 1; c < channels; ++c)
          ASSERT_EQ(values[row * channels + c], values[row * channels]);
        kept[s] += values[row * channels] > 0 ? 1.0 / (steps * rows) : 0;
      }
    }
  }
  std::vector<double> of_blocks;
  for (std::size_t s = 0; s < network.steps.size(); ++s) {
    if (network.steps[s].residual) of_blocks.push_back(kept[s]);
  }
  for (std::size_t i = 0; i < of_blocks.size(); ++i) {
    const double depth = static_cast<double>(i + 1) / static_cast<double>(of_blocks.size());
    EXPECT_NEAR(of_blocks[i], 1 - 0.5 * depth, 5 * 0.5 / std::sqrt(steps * rows)) << i;
  }
}

TEST_P(RecipeParts, ADroppedBranchLeavesWhatItBeganWith) {
  const nas::NetworkPlan network = plan();
  const auto images = data::DeviceImages::upload(arena(), set());
  nas::NetworkTrainer trainer(backend(), arena(), network, images, norm_, {.batch = batch, .seed = 5});
  // Without masks, and with masks of ones: the same. With zeros: as if the residual's last layer had been
  // zero, which its norm's scale and shift make it.
  const Tensor x(arena(), Shape{batch, 8, 8, 3}), y(arena(), Shape{batch}, DType::i32);
  data::Loader::sequential(backend(), arena(), images, batch, norm_).load(0, x, y);
  const auto logits = [&](const nas::Drops& drops) {
    Tape tape(backend(), arena(), Tape::Recording::off);
    const nas::NetworkWeights weights = trainer.weights().weights(tape, network);
    return nas::forward(tape, network, weights, x, {}, drops).value().to_host<float>();
  };
  const auto filled = [&](float value) {
    nas::DropMasks shapes(backend(), arena(), network, batch, 0.5f, 0, 1);
    nas::Drops drops = shapes.masks();
    for (Tensor& mask : drops.paths) {
      if (!mask.defined()) continue;
      const std::vector<float> values(static_cast<std::size_t>(mask.elements()), value);
      mask.copy_from_host(std::span<const float>(values));
    }
    return drops;
  };
  const std::vector<float> plain = logits({});
  EXPECT_EQ(logits(filled(1)), plain);
  const std::vector<float> dropped = logits(filled(0));
  EXPECT_NE(dropped, plain);
  for (const nas::Step& step : network.steps) {
    if (!step.residual) continue;
    const auto maker = std::find_if(network.steps.begin(), network.steps.end(),
                                    [&](const nas::Step& s) { return s.output == step.inputs[0]; });
    ASSERT_EQ(maker->kind, nas::StepKind::layer);
    const std::string layer = network.layers[static_cast<std::size_t>(maker->layer)].name;
    for (std::size_t i = 0; i < trainer.parameters().entries().size(); ++i) {
      const std::string& name = trainer.parameters().entries()[i].name;
      if (name == layer + ".scale" || name == layer + ".shift") {
        trainer.parameters()[static_cast<int>(i)].value().zero();
      }
    }
  }
  EXPECT_EQ(logits({}), dropped);
}

TEST_P(RecipeParts, SizesOfImagesFollowTheirStages) {
  const auto images = data::DeviceImages::upload(arena(), set());
  const nas::NetworkTrainer trainer(
      backend(), arena(), plan(), images, norm_,
      {.epochs = 15, .batch = batch, .progressive = {{4, 0.4}, {6, 0.8}}, .seed = 5});
  for (std::int64_t epoch = 0; epoch < 15; ++epoch) {
    EXPECT_EQ(trainer.image_size(epoch), epoch < 6 ? 4 : epoch < 12 ? 6 : 8) << epoch;
  }
}

// The pupil sees the batch made smaller, its teacher the batch itself.
TEST_P(RecipeParts, AnEpochOnSmallImagesIsItsSteps) {
  const auto images = data::DeviceImages::upload(arena(), set());
  nas::NetworkTrainingOptions options = all_parts();
  options.epochs = 1, options.cycles = 1;
  options.progressive = {{5, 1}};
  options.trivial_augment = false;
  options.erasing = options.drop_path = options.dropout = 0;
  options.mixing = {};
  nas::NetworkTrainer trainer(backend(), arena(), plan(), images, norm_, options);
  nas::NetworkTrainer by_hand(backend(), arena(), plan(), images, norm_, options);
  data::Loader loader(backend(), arena(), images, batch, norm_, options.augmentation, options.seed);
  loader.begin_epoch(0);
  const Tensor x(arena(), Shape{batch, 8, 8, 3}), small(arena(), Shape{batch, 5, 5, 3});
  const Tensor y(arena(), Shape{batch}, DType::i32);
  for (std::int64_t step = 0; step < trainer.steps_per_epoch(); ++step) {
    loader.load(step, x, y);
    backend().compute(ShrinkImages{x, small});
    by_hand.train_step({small, x}, {.labels = y}, trainer.learning_rate(step));
  }
  trainer.run_epoch(0);
  EXPECT_EQ(bits_of(trainer), bits_of(by_hand));
}

TEST_P(RecipeParts, ATeacherOfAnotherNormSaysWhatItWouldByItself) {
  const data::ImageSet pictures = set();
  const auto images = data::DeviceImages::upload(arena(), pictures);
  const nas::StoredNetwork network = nas::random_network(backend(), plan(), 3);  // with a norm of its own
  nas::Teacher teacher(arena(), network, task, norm_);
  const Tensor x(arena(), Shape{12, 8, 8, 3}), y(arena(), Shape{12}, DType::i32);
  data::Loader::sequential(backend(), arena(), images, 12, norm_).load(0, x, y);
  Tape tape(backend(), arena(), Tape::Recording::off);
  const oracle::Array found = to_array(teacher.logits(tape, x));
  const std::vector<float> alone = nas::Inference(backend(), network, 12).logits(pictures);
  EXPECT_LE(nmse(found, oracle::Array(found.shape, {alone.begin(), alone.end()})), 1e-7);
  EXPECT_THROW(nas::Teacher(arena(), network, {8, 3, 9}, norm_), Error);
  EXPECT_THROW(nas::Teacher(arena(), network, {16, 3, 10}, norm_), Error);
}

// Pauses in the second epoch and goes on.
void RecipeParts::expect_same_bits_after_a_pause(std::int64_t micro_batches) {
  const auto images = data::DeviceImages::upload(arena(), set());
  nas::NetworkTrainingOptions options = all_parts();
  options.micro_batches = micro_batches;
  nas::NetworkTrainer whole(backend(), arena(), plan(), images, norm_, options);
  const double first = whole.run_epoch(0), second = whole.run_epoch(1);
  ASSERT_TRUE(std::isfinite(first) && std::isfinite(second));

  const TemporaryDirectory place;
  const std::string path = (place.path() / "pause.safetensors").string();
  std::map<std::string, std::string> facts;
  nas::NetworkTrainer paused(backend(), arena(), plan(), images, norm_, options);
  EXPECT_EQ(paused.run_epoch(0), first);
  struct Stop {};
  const auto stop = [&](double done) {
    if (done < 0.5) return;
    paused.position().write(facts);
    io::CheckpointPair(path, paused.parameters(), &paused.optimizer(), paused.further_tensors()).save(facts);
    throw Stop();
  };
  EXPECT_THROW(paused.run_epoch(1, stop), Stop);

  nas::NetworkTrainer resumed(backend(), arena(), plan(), images, norm_, options);
  const io::CheckpointPair saved(path, resumed.parameters(), &resumed.optimizer(), resumed.further_tensors());
  const auto loaded = saved.load({}, [](const std::string& what) { FAIL() << what; });
  ASSERT_TRUE(loaded);
  EXPECT_EQ(resumed.run_epoch(1, {}, nas::EpochPosition::read(*loaded)), second);
  ASSERT_TRUE(whole.auxiliary_loss());
  EXPECT_NE(whole.auxiliary_loss(), second);
  EXPECT_EQ(resumed.auxiliary_loss(), whole.auxiliary_loss());
  EXPECT_EQ(bits_of(resumed), bits_of(whole));
}

TEST_P(RecipeParts, AllTogetherGoOnWithinAnEpochToTheSameBits) { expect_same_bits_after_a_pause(1); }

TEST_P(RecipeParts, SoTheyDoInMicroBatches) {
  ADWP_SKIP_WHERE_SLOW();
  expect_same_bits_after_a_pause(2);
}

TEST_P(RecipeParts, EachPartChangesTheTraining) {
  ADWP_SKIP_WHERE_SLOW();
  const auto images = data::DeviceImages::upload(arena(), set());
  const nas::NetworkTrainingOptions all = all_parts();
  using Change = void (*)(nas::NetworkTrainingOptions&);
  const auto loss = [&](const nas::NetworkTrainingOptions& options) {
    const Arena::Frame frame(arena());
    nas::NetworkTrainer trainer(backend(), arena(), plan(), images, norm_, options);
    return trainer.run_epoch(0);
  };
  const double with_all = loss(all);
  for (const Change without : std::vector<Change>{
           [](auto& o) { o.progressive = {}; }, [](auto& o) { o.trivial_augment = false; },
           [](auto& o) { o.label_smoothing = 0; }, [](auto& o) { o.erasing = 0; },
           [](auto& o) { o.mixing = {}; }, [](auto& o) { o.drop_path = 0; }, [](auto& o) { o.dropout = 0; },
           [](auto& o) { o.auxiliary = 0; }, [](auto& o) { o.teacher = nullptr; },
           [](auto& o) { o.optimizer = nas::OptimizerKind::adamw; }}) {
    nas::NetworkTrainingOptions options = all;
    without(options);
    EXPECT_NE(loss(options), with_all);
  }
}

ADWP_ON_EVERY_DEVICE(RecipeParts);

}  // namespace
}  // namespace adwp::test
