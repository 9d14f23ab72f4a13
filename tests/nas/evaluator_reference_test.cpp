// Scores are sums over every held-out image: the evaluator's and the trainer's against plain loops over
// logits.
#include <algorithm>
#include <cmath>

#include "framework/core/error.h"
#include "nas/evaluation/evaluator.h"
#include "nas/network/macro_network.h"
#include "nas/training/network_trainer.h"
#include "nas/weights/parameter_weights.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

constexpr nas::Task task{8, 3, 10};
const PixelNorm norm{{0.5f, 0.4f, 0.3f, 0}, {0.25f, 0.2f, 0.3f, 1}};

// Each image has a brightness and a label of its own, so that no two batches score alike.
data::ImageSet held_out(std::int64_t count) {
  Random random(21, Purpose::test);
  data::ImageSet set{8, 8, 3, {}, {}};
  for (std::int64_t n = 0; n < count; ++n) {
    set.labels.push_back(static_cast<std::int32_t>(random.below(10)));
    const std::uint32_t brightness = random.below(200);
    for (int p = 0; p < 8 * 8 * 3; ++p) {
      set.pixels.push_back(static_cast<std::uint8_t>(brightness + random.below(50)));
    }
  }
  return set;
}

oracle::Array normalised(const data::ImageSet& set, std::int64_t first, std::int64_t count) {
  oracle::Array x(Shape{count, set.height, set.width, set.channels});
  for (std::int64_t i = 0; i < x.shape.elements(); ++i) {
    const std::int64_t c = i % set.channels;
    const std::uint8_t pixel = set.pixels[static_cast<std::size_t>(first * set.image_bytes() + i)];
    x.at(i) = (pixel / 255.0 - norm.mean[c]) / norm.deviation[c];
  }
  return x;
}

struct Sums {
  double loss = 0, hits = 0;

  void add(const oracle::Array& logits, const data::ImageSet& set, std::int64_t first) {
    const std::int64_t classes = logits.shape[1];
    for (std::int64_t n = 0; n < logits.shape[0]; ++n) {
      const double* row = logits.values.data() + n * classes;
      const std::int32_t label = set.labels[static_cast<std::size_t>(first + n)];
      double sum = 0;
      for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(row[c]);
      loss += std::log(sum) - row[label];
      hits += std::max_element(row, row + classes) - row == label ? 1 : 0;
    }
  }
};

void expect_mean(const nas::Score& score, const Sums& sums, std::int64_t images) {
  const auto count = static_cast<double>(images);
  EXPECT_NEAR(score.loss, sums.loss / count, 1e-4 * sums.loss / count);
  EXPECT_NEAR(score.accuracy, sums.hits / count, 1e-6);
}

class EvaluationReference : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    plain_ = std::make_unique<Arena>(backend(), std::size_t{64} << 20);
  }
  // Without sentinels, so that devices which record their work do.
  Arena& plain() { return *plain_; }
  static std::vector<nas::NetworkPlan> plans(const nas::SearchSpace& space) {
    std::vector<nas::NetworkPlan> result;
    for (std::uint64_t i = 0; i < 2; ++i) {
      Random random(22, Purpose::test, i);
      result.push_back(nas::plan_network(space.sample(random), task));
    }
    return result;
  }

 private:
  std::unique_ptr<Arena> plain_;
};

TEST_P(EvaluationReference, AScoreIsTheMeanOverEveryImageOfEveryBatch) {
  const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
  struct Case {
    std::int64_t images, most, batch, batches;
  };
  // Equal batches of at most `most`; as few images as that needs are left out. Some are replayed, some not.
  for (const Case& c : {Case{20, 4, 4, 5}, Case{23, 5, 4, 5}, Case{11, 4, 3, 3}, Case{3, 8, 3, 1}}) {
    const Arena::Frame frame(plain());
    const data::ImageSet set = held_out(c.images);
    const auto images = data::DeviceImages::upload(plain(), set);
    nas::SharedWeights source(plain(), space, task, 1);
    nas::Evaluator evaluator(backend(), plain(), images, norm, c.most, 2);
    EXPECT_EQ(evaluator.batch(), c.batch);
    EXPECT_EQ(evaluator.images_per_network(), c.batch * c.batches);
    const std::vector<nas::NetworkPlan> networks = plans(space);
    evaluator.evaluate(source, networks);  // nothing of it may stay
    const std::vector<nas::Score> scores = evaluator.evaluate(source, networks);
    ASSERT_EQ(scores.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
      Sums sums;
      for (std::int64_t b = 0; b < c.batches; ++b) {
        const Arena::Frame batch(plain());
        Tape tape(backend(), plain(), Tape::Recording::off);
        const std::vector<float> pixels = to_floats(normalised(set, b * c.batch, c.batch));
        const Tensor x = Tensor::from_host(plain(), Shape{c.batch, 8, 8, 3}, std::span<const float>(pixels));
        const nas::NetworkWeights weights = source.weights(tape, networks[i]);
        sums.add(to_array(nas::forward(tape, networks[i], weights, x).value()), set, b * c.batch);
      }
      expect_mean(scores[i], sums, c.batch * c.batches);
    }
  }
}

TEST_P(EvaluationReference, ANetworkWhoseLossIsNotFiniteIsNamed) {
  const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
  const auto images = data::DeviceImages::upload(plain(), held_out(4));
  nas::SharedWeights source(plain(), space, task, 1);
  std::vector<float> values = source.parameters().values().to_host<float>();
  values.assign(values.size(), std::nanf(""));
  source.parameters().values().copy_from_host(std::span<const float>(values));
  nas::Evaluator evaluator(backend(), plain(), images, norm, 4, 2);
  const std::vector<nas::NetworkPlan> networks = plans(space);
  try {
    evaluator.evaluate(source, networks);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(networks[0].architecture.id()), std::string::npos);
  }
}

TEST_P(EvaluationReference, ATrainedNetworkIsScoredOnEveryImageOfARaggedSet) {
  const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
  const data::ImageSet set = held_out(23);
  const auto images = data::DeviceImages::upload(plain(), set);
  const nas::NetworkPlan plan = plans(space)[0];
  nas::NetworkTrainer trainer(backend(), plain(), plan, images, norm,
                              {.epochs = 1, .batch = 8, .augmentation = {}, .seed = 3});
  trainer.run_epoch(0);  // running statistics and a classifier that are not what they began as
  Sums sums;
  for (std::int64_t n = 0; n < set.count(); ++n) {
    const Arena::Frame frame(plain());
    Tape tape(backend(), plain(), Tape::Recording::off);
    const std::vector<float> pixels = to_floats(normalised(set, n, 1));
    const Tensor x = Tensor::from_host(plain(), Shape{1, 8, 8, 3}, std::span<const float>(pixels));
    sums.add(to_array(trainer.infer(tape, x).value()), set, n);
  }
  expect_mean(trainer.evaluate(images, 5), sums, 23);  // four batches of 5 and one of 3
}

ADWP_ON_EVERY_DEVICE(EvaluationReference);

}  // namespace
}  // namespace adwp::test
