// What readers and the split make of files whose every byte is known.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "data/data_set.h"
#include "data/readers.h"
#include "data/test_split.h"
#include "framework/core/error.h"
#include "tests/support/images.h"
#include "tests/support/listed.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

std::uint8_t pixel_of(std::int64_t record, std::int64_t channel, std::int64_t place) {
  return static_cast<std::uint8_t>(7 * record + 50 * channel + place % 89);
}

// Records of CIFAR: `labels` gives the label bytes of a record.
template <typename Labels>
void write_records(const std::filesystem::path& path, int count, Labels&& labels) {
  std::ofstream file(path, std::ios::binary);
  for (int n = 0; n < count; ++n) {
    for (int label : labels(n)) file.put(static_cast<char>(label));
    for (int c = 0; c < 3; ++c) {
      for (int p = 0; p < 1024; ++p) file.put(static_cast<char>(pixel_of(n, c, p)));
    }
  }
}

void expect_pixels(const data::ImageSet& set) {
  ASSERT_EQ(set.height, 32);
  ASSERT_EQ(set.width, 32);
  ASSERT_EQ(set.channels, 3);
  for (std::int64_t n = 0; n < set.count(); ++n) {
    for (std::int64_t p = 0; p < 1024; ++p) {
      for (std::int64_t c = 0; c < 3; ++c) {
        ASSERT_EQ(set.pixels[static_cast<std::size_t>((n * 1024 + p) * 3 + c)], pixel_of(n, c, p));
      }
    }
  }
}

TEST(CifarReference, PlanesOf100FineClassesBecomePixels) {
  const TemporaryDirectory folder;
  write_records(folder.path() / "test.bin", 5, [](int n) { return std::vector<int>{n, 20 * n + 3}; });
  const test::LabelledImages read =
      test::read_all(data::list_cifar(folder.path().string(), true, data::Split::test));
  EXPECT_EQ(read.classes.size(), 100u);
  EXPECT_EQ(read.images.labels, (std::vector<std::int32_t>{3, 23, 43, 63, 83}));
  expect_pixels(read.images);
}

TEST(CifarReference, TheLastLabelIsReadAndTheNextRefused) {
  const TemporaryDirectory folder;
  write_records(folder.path() / "test_batch.bin", 10, [](int n) { return std::vector<int>{9 - n}; });
  const test::LabelledImages read =
      test::read_all(data::list_cifar(folder.path().string(), false, data::Split::test));
  EXPECT_EQ(read.images.labels, (std::vector<std::int32_t>{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}));
  expect_pixels(read.images);
  write_records(folder.path() / "test_batch.bin", 1, [](int) { return std::vector<int>{10}; });
  EXPECT_THROW(test::read_all(data::list_cifar(folder.path().string(), false, data::Split::test)), Error);
}

TEST(IdxReference, MoreThan256ImagesStandCentredOnASquare) {
  const TemporaryDirectory folder;
  write_idx(folder.path(), "t10k", 300, 5, 7);
  const test::LabelledImages read = test::read_all(data::list_idx(folder.path().string(), data::Split::test));
  const data::ImageSet& set = read.images;
  ASSERT_EQ(set.count(), 300);
  ASSERT_EQ(set.height, 12);  // 7 and a border, to a multiple of 4
  for (std::int64_t n = 0; n < 300; ++n) {
    EXPECT_EQ(set.labels[static_cast<std::size_t>(n)], n % 10);
    for (std::int64_t h = 0; h < 12; ++h) {
      for (std::int64_t w = 0; w < 12; ++w) {
        const bool inside = h >= 3 && h < 8 && w >= 2 && w < 9;
        const std::int64_t expected = inside ? ((n * 5 + h - 3) * 7 + w - 2) % 251 : 0;
        for (std::int64_t c = 0; c < 3; ++c) {
          ASSERT_EQ(set.pixels[static_cast<std::size_t>(((n * 12 + h) * 12 + w) * 3 + c)], expected);
        }
      }
    }
  }
}

TEST(FolderReference, ImagesStandInTheOrderOfTheirNames) {
  const TemporaryDirectory folder;
  for (int level : {5, 1, 9, 3, 7}) {  // the name's order is the level's
    const std::string name = std::to_string(level);
    write_png(folder.path() / "test" / ("class" + name) / "one.png", 4, 4, 10 * level);
    write_png(folder.path() / "test" / ("class" + name) / "two.png", 4, 4, 10 * level + 5);
  }
  const test::LabelledImages read =
      test::read_all(data::list_folder({.directory = folder.path().string()}, data::Split::test), 0);
  EXPECT_EQ(read.classes, (std::vector<std::string>{"class1", "class3", "class5", "class7", "class9"}));
  EXPECT_EQ(read.images.labels, (std::vector<std::int32_t>{0, 0, 1, 1, 2, 2, 3, 3, 4, 4}));
  for (std::size_t n = 0; n < 10; ++n) {
    EXPECT_EQ(read.images.pixels[n * 48], 10 * (1 + 2 * (n / 2)) + 5 * (n % 2));
  }
}

TEST(SplitReference, TheTestSplitHasTheSizeOfTheTrainingSplit) {
  const data::DataSpec spec = data::parse_data_spec("synthetic:100?size=12");
  const data::TrainingData training = data::load_training_data(spec, 1, 0.2);
  const data::ImageSet test = data::load_test_split(spec, training).images;
  EXPECT_EQ(training.train.height, 12);
  EXPECT_EQ(test.height, 12);
  EXPECT_EQ(test.pixels.size(), static_cast<std::size_t>(20 * 12 * 12 * 3));
}

// The first images of a class would otherwise always be the ones held out.
TEST(SplitReference, WhichImagesOfAClassAreHeldOutAndTheirOrderAreRandom) {
  const data::DataSpec spec = data::parse_data_spec("synthetic:400");
  const test::LabelledImages all = test::read_all(data::list_synthetic(400, data::Split::train));
  const data::TrainingData training = data::load_training_data(spec, 1, 0.25);
  const data::ImageSet& held = training.validation;
  int of_the_first = 0;  // ten of each class, which stand in turn: images 0 to 99
  for (std::int64_t n = 0; n < held.count(); ++n) {
    const auto begin = held.pixels.begin() + n * held.image_bytes();
    for (std::int64_t i = 0; i < 100; ++i) {
      const auto other = all.images.pixels.begin() + i * held.image_bytes();
      if (!std::equal(begin, begin + held.image_bytes(), other)) continue;
      ++of_the_first;
      EXPECT_EQ(held.labels[static_cast<std::size_t>(n)], all.images.labels[static_cast<std::size_t>(i)]);
    }
  }
  EXPECT_GT(of_the_first, 5);
  EXPECT_LT(of_the_first, 60) << "a quarter of 100 is to be expected";
  // A tenth of either set holds several classes: batches of a sequential pass are mixed.
  for (const data::ImageSet* set : {&training.train, &training.validation}) {
    for (auto first = set->labels.begin(); first != set->labels.end(); first += 10) {
      EXPECT_GE(std::set<std::int32_t>(first, first + 10).size(), 3u);
    }
  }
}

TEST(SplitReference, AFingerprintTellsPixelsLabelsAndClassesApart) {
  const data::TrainingData data = data::load_training_data(data::parse_data_spec("synthetic:40"), 1, 0.25);
  std::set<std::string> seen = {data::fingerprint(data)};
  data::TrainingData other = data;
  other.train.pixels[7] ^= 1;
  seen.insert(data::fingerprint(other));
  other = data;
  other.train.labels[3] = (other.train.labels[3] + 1) % 10;
  seen.insert(data::fingerprint(other));
  other = data;
  other.validation.labels[3] = (other.validation.labels[3] + 1) % 10;
  seen.insert(data::fingerprint(other));
  other = data;
  other.classes[2] += "s";
  seen.insert(data::fingerprint(other));
  EXPECT_EQ(seen.size(), 5u);
}

}  // namespace
}  // namespace adwp::test
