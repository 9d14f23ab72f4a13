#include "data/loader.h"

#include <algorithm>
#include <set>

#include "framework/core/random.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

class LoaderTest : public DeviceTest {
 protected:
  // Image n is of one grey level, 10 n, and has the label n.
  data::DeviceImages images(std::int64_t count) {
    data::ImageSet set{6, 6, 1, {}, {}};
    for (std::int64_t n = 0; n < count; ++n) {
      set.labels.push_back(static_cast<std::int32_t>(n));
      set.pixels.insert(set.pixels.end(), 36, static_cast<std::uint8_t>(10 * n));
    }
    return data::DeviceImages::upload(arena(), set);
  }
  // The labels and the pixels of a batch; each image must be the one that its label says.
  std::pair<std::vector<std::int32_t>, std::vector<float>> load(data::Loader& loader, std::int64_t i) {
    const std::int64_t count = loader.batch_size(i);
    const Tensor x(arena(), Shape{count, 6, 6, 1}), y(arena(), Shape{count}, DType::i32);
    loader.load(i, x, y);
    const auto labels = y.to_host<std::int32_t>();
    const auto pixels = x.to_host<float>();
    for (std::size_t n = 0; n < labels.size(); ++n) {
      const auto first = pixels.begin() + static_cast<std::ptrdiff_t>(36 * n);
      EXPECT_NEAR(*std::max_element(first, first + 36), 10 * labels[n] / 255.0, 1e-6);
    }
    return {labels, pixels};
  }
};

TEST_P(LoaderTest, AnEpochIsItsPermutationInBatches) {
  const auto set = images(23);
  data::Loader loader(backend(), arena(), set, 5, PixelNorm{}, {}, 9);
  ASSERT_EQ(loader.batches(), 4);
  for (std::int64_t epoch : {0, 1, 7}) {
    loader.begin_epoch(epoch);
    const auto order = permutation(Random(9, Purpose::shuffle, static_cast<std::uint64_t>(epoch)), 23);
    for (std::int64_t i = 0; i < 4; ++i) {
      const auto first = order.begin() + 5 * i;
      EXPECT_EQ(load(loader, i).first, std::vector<std::int32_t>(first, first + 5)) << epoch << " " << i;
    }
  }
}

TEST_P(LoaderTest, AnImageIsAugmentedAnewInEveryEpoch) {
  const auto set = images(8);
  data::Loader loader(backend(), arena(), set, 8, PixelNorm{}, {.shift = 2, .cutout = 3}, 9);
  std::set<std::vector<float>> seen;  // of image 7
  for (std::int64_t epoch = 0; epoch < 6; ++epoch) {
    loader.begin_epoch(epoch);
    const auto [labels, pixels] = load(loader, 0);
    const auto at = std::find(labels.begin(), labels.end(), 7) - labels.begin();
    seen.insert(std::vector<float>(pixels.begin() + 36 * at, pixels.begin() + 36 * (at + 1)));
  }
  EXPECT_GE(seen.size(), 4u) << "of six epochs";
}

TEST_P(LoaderTest, ASequentialPassMeetsEveryImageOnceInOrder) {
  const auto set = images(23);
  data::Loader loader = data::Loader::sequential(backend(), arena(), set, 5, PixelNorm{});
  ASSERT_EQ(loader.batches(), 5);
  std::vector<std::int32_t> met, expected;
  for (std::int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(loader.batch_size(i), i < 4 ? 5 : 3);
    const auto labels = load(loader, i).first;
    met.insert(met.end(), labels.begin(), labels.end());
  }
  for (std::int32_t n = 0; n < 23; ++n) expected.push_back(n);
  EXPECT_EQ(met, expected);
}

ADWP_ON_EVERY_DEVICE(LoaderTest);

}  // namespace
}  // namespace adwp::test
