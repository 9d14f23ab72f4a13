#include "data/data_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "data/readers.h"
#include "data/test_split.h"
#include "framework/core/error.h"
#include "framework/core/random.h"
#include "tests/support/images.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

using data::DataSpec;

TEST(DataSpec, ReadsEveryForm) {
  EXPECT_EQ(data::parse_data_spec("synthetic").synthetic_images, 10000);
  EXPECT_EQ(data::parse_data_spec("synthetic:500").synthetic_images, 500);
  const DataSpec spec = data::parse_data_spec("folder:/a:b?limit=7&size=16");
  EXPECT_EQ(spec.kind, DataSpec::Kind::folder);
  EXPECT_EQ(spec.directory, "/a:b");
  EXPECT_EQ(spec.limit, 7);
  EXPECT_EQ(spec.size, 16);
  EXPECT_EQ(data::parse_data_spec("cifar100:x").kind, DataSpec::Kind::cifar100);
  EXPECT_EQ(data::parse_data_spec("idx:x").kind, DataSpec::Kind::idx);
}

TEST(DataSpec, RefusesEverythingElseAsWrongUse) {
  for (const char* text :
       {"", "synthetic:", "synthetic:x", "synthetic:5", "synthetic:-3", "cifar10", "cifar10:", "imagenet:x",
        "folder:x?limit=0", "folder:x?size=2", "folder:x?colour=1", "folder:x?limit=2&size=", "folder:x?=3",
        "folder:x?limit", "synthetic:99999999999999999999"}) {
    try {
      data::parse_data_spec(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::usage) << text;
    }
  }
}

TEST(DataSpec, RefusesZeroBytes) {
  EXPECT_THROW(data::parse_data_spec(std::string_view("folder:a\0b", 10)), Error);
}

TEST(Split, TakesTheFractionOfEachClassAndDependsOnTheSeedAlone) {
  const DataSpec spec = data::parse_data_spec("synthetic:400");
  const data::TrainingData a = data::load_training_data(spec, 1, 0.25);
  EXPECT_EQ(a.train.count(), 300);
  EXPECT_EQ(a.validation.count(), 100);
  std::map<std::int32_t, int> held;
  for (std::int32_t label : a.validation.labels) ++held[label];
  ASSERT_EQ(held.size(), 10u);
  for (const auto& [label, count] : held) EXPECT_EQ(count, 10) << label;
  const data::TrainingData again = data::load_training_data(spec, 1, 0.25);
  EXPECT_EQ(a.validation.pixels, again.validation.pixels);
  EXPECT_NE(a.validation.pixels, data::load_training_data(spec, 2, 0.25).validation.pixels);
}

TEST(Split, SharesNoImage) {
  const data::TrainingData d = data::load_training_data(data::parse_data_spec("synthetic:200"), 1, 0.2);
  std::set<std::string> seen;
  for (const data::ImageSet* set : {&d.train, &d.validation}) {
    for (std::int64_t n = 0; n < set->count(); ++n) {
      const auto begin = set->pixels.begin() + n * set->image_bytes();
      EXPECT_TRUE(seen.emplace(begin, begin + set->image_bytes()).second);
    }
  }
}

TEST(Split, MeasuresItsNormOnTheTrainingPart) {
  const data::TrainingData d = data::load_training_data(data::parse_data_spec("synthetic:200"), 1, 0.2);
  for (int c = 0; c < 3; ++c) {
    double sum = 0, square = 0, count = 0;
    for (std::size_t i = static_cast<std::size_t>(c); i < d.train.pixels.size(); i += 3) {
      const double v = d.train.pixels[i] / 255.0;
      sum += v;
      square += v * v;
      ++count;
    }
    EXPECT_NEAR(d.norm.mean[c], sum / count, 1e-6);
    EXPECT_NEAR(d.norm.deviation[c], std::sqrt(square / count - sum * sum / count / count), 1e-5);
  }
}

TEST(Limit, CutsEachClass) {
  const data::TrainingData d =
      data::load_training_data(data::parse_data_spec("synthetic:400?limit=105"), 1, 0.2);
  EXPECT_EQ(d.train.count() + d.validation.count(), 105);
}

TEST(Synthetic, IsTheSameForEveryoneAndItsTestSplitIsAnother) {
  const DataSpec spec = data::parse_data_spec("synthetic:100");
  const data::TrainingData d = data::load_training_data(spec, 1, 0.2);
  const data::ImageSet test = data::load_test_split(spec, d).images;
  EXPECT_EQ(test.count(), 20);
  EXPECT_EQ(test.height, 32);
  const std::vector<std::uint8_t> first(test.pixels.begin(), test.pixels.begin() + test.image_bytes());
  for (std::int64_t n = 0; n < d.train.count(); ++n) {
    const auto begin = d.train.pixels.begin() + n * test.image_bytes();
    EXPECT_FALSE(std::equal(first.begin(), first.end(), begin));
  }
}

TEST(Cifar, ReadsTheBinaryForm) {
  const TemporaryDirectory folder;
  for (int i = 1; i <= 5; ++i) {
    write_cifar(folder.path() / ("data_batch_" + std::to_string(i) + ".bin"), 20, i);
  }
  write_cifar(folder.path() / "test_batch.bin", 10, 9);
  const DataSpec spec = data::parse_data_spec("cifar10:" + folder.path().string());
  const data::TrainingData d = data::load_training_data(spec, 1, 0.2);
  EXPECT_EQ(d.train.count() + d.validation.count(), 100);
  EXPECT_EQ(d.classes[3], "cat");
  // Pixel p of plane c is (batch + c) % 256: planes became channels.
  EXPECT_EQ((d.train.pixels[1] - d.train.pixels[0] + 256) % 256, 1);
  EXPECT_EQ((d.train.pixels[2] - d.train.pixels[0] + 256) % 256, 2);
  EXPECT_EQ(data::load_test_split(spec, d).images.count(), 10);
}

TEST(Cifar, RefusesDamage) {
  const TemporaryDirectory folder;
  const DataSpec spec = data::parse_data_spec("cifar10:" + folder.path().string());
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);  // missing
  for (int i = 1; i <= 5; ++i) {
    write_cifar(folder.path() / ("data_batch_" + std::to_string(i) + ".bin"), 20, i);
  }
  std::filesystem::resize_file(folder.path() / "data_batch_3.bin", 20 * 3073 - 1);
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);  // truncated
  std::ofstream(folder.path() / "data_batch_3.bin", std::ios::binary) << std::string(3073, '\x7f');
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);  // label 127
  std::ofstream(folder.path() / "data_batch_3.bin", std::ios::binary);
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);  // empty
  std::filesystem::resize_file(folder.path() / "data_batch_3.bin", std::uintmax_t{3073} * 100'001);
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);  // ten times the data set, and not read
}

TEST(Idx, ReadsAndRefuses) {
  const TemporaryDirectory folder;
  write_idx(folder.path(), "train", 40, 28, 28);
  write_idx(folder.path(), "t10k", 10, 28, 28);
  const DataSpec spec = data::parse_data_spec("idx:" + folder.path().string());
  const data::TrainingData d = data::load_training_data(spec, 1, 0.2);
  EXPECT_EQ(d.train.height, 32);
  EXPECT_EQ(d.train.channels, 3);
  EXPECT_EQ(d.classes.size(), 10u);
  EXPECT_EQ(data::load_test_split(spec, d).images.count(), 10);
  const auto images = folder.path() / "train-images-idx3-ubyte";
  std::filesystem::resize_file(images, std::filesystem::file_size(images) - 1);
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);
  write_idx(folder.path(), "train", 40, 28, 28);
  std::fstream file(images, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4);
  file.write("\xff\xff\xff\xff", 4);  // four billion images
  file.close();
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);
}

// A few kilobytes would become terabytes.
TEST(Idx, RefusesImagesThatWouldGrowWithoutEnd) {
  const TemporaryDirectory folder;
  const DataSpec spec = data::parse_data_spec("idx:" + folder.path().string());
  for (const auto& [height, width] :
       std::vector<std::pair<int, int>>{{1, 4096}, {4096, 4}, {3, 3}, {5, 21}}) {
    write_idx(folder.path(), "train", 40, height, width);
    EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error) << height << " x " << width;
  }
  write_idx(folder.path(), "train", 40, 5, 20);
  EXPECT_EQ(data::load_training_data(spec, 1, 0.2).train.height, 24);
}

TEST(Room, ADataSetThatFitsNoMachineIsRefusedBeforeItIsMade) {
  EXPECT_NO_THROW(data::require_room(1'281'167, 64, 64, 3));
  EXPECT_THROW(data::require_room(10'000'000, 512, 512, 3), Error);
  EXPECT_THROW(data::require_room(data::most_images, data::most_side, data::most_side, 3), Error);
  EXPECT_NO_THROW(data::require_room(data::most_images, 0, 512, 3));
  // 100,000 images of the limit, not of all; 79 GB would be too much.
  EXPECT_NO_THROW(
      data::load_training_data(data::parse_data_spec("synthetic:100000?size=512&limit=40"), 1, 0.5));
  EXPECT_THROW(data::load_training_data(data::parse_data_spec("synthetic:100000?size=512"), 1, 0.5), Error);
}

TEST(Folder, ReadsPngsResizesAndNamesClassesByFolder) {
  const TemporaryDirectory folder;
  for (const char* split : {"train", "test"}) {
    for (const char* name : {"bear", "ant"}) {
      for (int i = 0; i < 10; ++i) {
        write_png(folder.path() / split / name / (std::to_string(i) + ".png"), 12 + i, 12 + i,
                  name[0] == 'a' ? 200 + i : 50 + i);
      }
    }
  }
  const DataSpec spec = data::parse_data_spec("folder:" + folder.path().string() + "?size=8");
  const data::TrainingData d = data::load_training_data(spec, 1, 0.2);
  EXPECT_EQ(d.classes, (std::vector<std::string>{"ant", "bear"}));
  EXPECT_EQ(d.train.height, 8);
  EXPECT_EQ(d.train.count(), 16);
  for (std::int64_t n = 0; n < d.train.count(); ++n) {
    EXPECT_EQ(d.train.pixels[static_cast<std::size_t>(n * d.train.image_bytes())] >= 200,
              d.train.labels[static_cast<std::size_t>(n)] == 0);
  }
  EXPECT_EQ(data::load_test_split(spec, d).images.count(), 20);
  data::TrainingData other = d;
  other.classes = {"ant", "bee"};
  try {
    data::load_test_split(spec, other);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'bear', expected one of ant, bee"), std::string::npos)
        << error.what();
  }
}

TEST(Folder, RefusesJunkEmptyClassesAndMissingFolders) {
  const TemporaryDirectory folder;
  const DataSpec spec = data::parse_data_spec("folder:" + folder.path().string());
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);  // no train folder
  for (int i = 0; i < 4; ++i) {
    write_png(folder.path() / "train" / "a" / (std::to_string(i) + ".png"), 8, 8, i);
  }
  std::filesystem::create_directory(folder.path() / "train" / "b");
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);  // an empty class
  std::ofstream(folder.path() / "train" / "b" / "junk.png") << "this is no image";
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);
  std::filesystem::remove(folder.path() / "train" / "b" / "junk.png");
  write_png(folder.path() / "train" / "b" / "one.png", 8, 8, 9);
  EXPECT_THROW(data::load_training_data(spec, 1, 0.2), Error);  // one image cannot be split
}

}  // namespace
}  // namespace adwp::test
