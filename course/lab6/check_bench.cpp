#include "course/lab6/check_bench.h"

#include <algorithm>

#include "course/common/report.h"
#include "cpu/cpu_backend.h"
#include "nas/training/network_trainer.h"

namespace adwp::course {
namespace {

constexpr std::int64_t batch = 32, classes = 5;

// Turns every image by quarter turns, exchanges its channels, and gives it its new label.
void disguise(data::ImageSet& set, int turns, const std::vector<std::int32_t>& channels,
              const std::vector<std::int32_t>& labels) {
  const std::int64_t side = set.height;
  for (std::int64_t n = 0; n < set.count(); ++n) {
    std::uint8_t* image = set.pixels.data() + n * set.image_bytes();
    for (int turn = 0; turn < turns; ++turn) {
      const std::vector<std::uint8_t> before(image, image + set.image_bytes());
      for (std::int64_t i = 0; i < side * side; ++i) {
        const std::int64_t row = i / side, column = i % side;
        std::copy_n(&before[i * 3], 3, image + (column * side + side - 1 - row) * 3);
      }
    }
    for (std::int64_t i = 0; i < side * side; ++i) {
      const std::uint8_t pixel[3] = {image[i * 3], image[i * 3 + 1], image[i * 3 + 2]};
      for (int c = 0; c < 3; ++c) image[i * 3 + c] = pixel[channels[c]];
    }
    set.labels[n] = labels[set.labels[n]] / 2;
  }
}

data::ImageSet part(const data::ImageSet& set, std::int64_t first, std::int64_t count) {
  const auto pixels = set.pixels.begin() + first * set.image_bytes();
  const auto labels = set.labels.begin() + first;
  return {set.height,
          set.width,
          set.channels,
          {pixels, pixels + count * set.image_bytes()},
          {labels, labels + count}};
}

}  // namespace

SeededBench::SeededBench(std::uint64_t seed, std::int64_t epochs) : device_(cpu::open_cpu()) {
  data::TrainingData data =
      data::load_training_data(data::parse_data_spec("synthetic:2500?size=16"), seed, 0.6);
  Random random(seed, Purpose::synthetic, 6);
  const int turns = static_cast<int>(random.below(4));
  const std::vector<std::int32_t> channels = permutation(Random(seed, Purpose::test, 1), 3);
  const std::vector<std::int32_t> labels = permutation(Random(seed, Purpose::test, 2), 10);
  disguise(data.train, turns, channels, labels);
  disguise(data.validation, turns, channels, labels);
  for (int c = 0; c < 3; ++c) {
    norm_.mean[c] = data.norm.mean[channels[c]];
    norm_.deviation[c] = data.norm.deviation[channels[c]];
  }
  train_ = std::move(data.train);
  validation_ = part(data.validation, 0, 500);
  test_ = part(data.validation, 500, data.validation.count() - 500);
  space_ = nas::SearchSpace::preset("tiny");
  task_ = {train_.height, 3, classes};
  left_ = epochs;
}

nas::Score SeededBench::train_and_score(const nas::Architecture& architecture, std::int64_t epochs,
                                        const data::ImageSet& scored) {
  const nas::NetworkPlan plan = nas::plan_network(architecture, task_);
  const nas::NetworkTrainingOptions options{.epochs = epochs, .batch = batch, .seed = 1};
  Arena counting = Arena::counting(*device_);
  const auto reserve = [&](const data::ImageSet& set) {
    return data::DeviceImages::reserve(counting, set.count(), set.height, set.width, set.channels);
  };
  const data::DeviceImages room = reserve(train_), further = reserve(scored);
  nas::NetworkTrainer::dry_run(*device_, counting, plan, room, norm_, options, 100);
  Arena arena(*device_, counting.peak() + counting.peak() / 8);
  const data::DeviceImages images = data::DeviceImages::upload(arena, train_);
  const data::DeviceImages others = data::DeviceImages::upload(arena, scored);
  nas::NetworkTrainer trainer(*device_, arena, plan, images, norm_, options);
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) trainer.run_epoch(epoch);
  return trainer.evaluate(others, 100);
}

// The same training has the same result: it is done once.
nas::Score SeededBench::score(const nas::Architecture& architecture, std::int64_t epochs, bool test) {
  const auto [at, fresh] = done_.try_emplace({architecture.hash(), epochs, test});
  if (fresh) at->second = train_and_score(architecture, epochs, test ? test_ : validation_);
  return at->second;
}

nas::Score SeededBench::train(const nas::Architecture& architecture, std::int64_t epochs) {
  expect(epochs >= 1, "train: {} epochs, expected at least 1", epochs);
  expect(space_.contains(architecture), "train: the architecture is not of the space {}", space_.name);
  expect(epochs <= left_, "train: {} epochs asked for and {} left of {}; look at bench.left()", epochs, left_,
         budget);
  left_ -= epochs;
  ++trainings_;
  return score(architecture, epochs, false);
}

void SeededBench::begin_again() {
  left_ = budget;
  trainings_ = 0;
}

double SeededBench::test_accuracy(const nas::Architecture& architecture) {
  return score(architecture, lab::final_epochs, true).accuracy;
}

nas::Architecture random_halving(lab::Bench& bench, std::uint64_t seed) {
  Random random(seed, Purpose::architecture);
  std::vector<nas::Architecture> networks;
  for (int i = 0; i < 8; ++i) networks.push_back(bench.space().sample(random));
  for (const std::int64_t epochs : {1, 2, 4}) {
    std::vector<std::pair<double, std::size_t>> losses;
    for (std::size_t i = 0; i < networks.size(); ++i)
      losses.emplace_back(bench.train(networks[i], epochs).loss, i);
    std::sort(losses.begin(), losses.end());
    std::vector<nas::Architecture> best;
    for (std::size_t i = 0; i < std::max<std::size_t>(1, losses.size() / 2); ++i) {
      best.push_back(networks[losses[i].second]);
    }
    networks = best;
  }
  return networks[0];
}

}  // namespace adwp::course
