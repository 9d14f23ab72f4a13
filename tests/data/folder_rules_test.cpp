// Folders, labels and names as people have them: what is read, what is left out and said, what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "data/loader.h"
#include "data/readers.h"
#include "data/survey.h"
#include "data/test_split.h"
#include "framework/core/error.h"
#include "tests/support/device.h"
#include "tests/support/images.h"
#include "tests/support/listed.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;
using data::Inventory;

class FolderRules : public testing::Test {
 protected:
  fs::path at(const std::string& name) const { return place_.path() / name; }
  void image(const std::string& name, int level, int width = 8, int height = 8) {
    write_png(at(name), width, height, level);
  }
  void file(const std::string& name, const std::string& bytes) {
    fs::create_directories(at(name).parent_path());
    std::ofstream(at(name), std::ios::binary) << bytes;
  }
  // Two classes, each of `count` different images in each split.
  void classes(int count) {
    for (const char* split : {"train", "test"}) {
      for (int i = 0; i < count; ++i) {
        const int level = (split[1] == 'r' ? 0 : 100) + 2 * i;
        image(std::string(split) + "/ant/" + std::to_string(i) + ".png", level);
        image(std::string(split) + "/bee/" + std::to_string(i) + ".png", level + 1);
      }
    }
  }
  data::DataSpec spec(const std::string& more = "") const {
    return data::parse_data_spec("folder:" + place_.path().string() + more);
  }
  data::TrainingData load(const std::string& more = "") const {
    return data::load_training_data(spec(more), 1, 0.25);
  }
  std::string refusal(const std::string& more = "") const {
    try {
      data::load_test_split(spec(more), load(more));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  static std::multiset<std::string> reasons(const Inventory& inventory) {
    std::multiset<std::string> found;
    for (const Inventory::LeftOut& file : inventory.left_out) found.insert(file.reason);
    return found;
  }

 private:
  TemporaryDirectory place_;
};

TEST_F(FolderRules, HiddenNamesAreNeitherClassesNorImages) {
  classes(4);
  image("train/.ipynb_checkpoints/0.png", 7);
  image("train/__MACOSX/0.png", 7);
  image("train/ant/._0.png", 7);
  file("train/.DS_Store", "x");
  file("train/bee/notes.txt", "x");
  file("train/readme", "x");
  const data::TrainingData d = load();
  EXPECT_EQ(d.classes, (std::vector<std::string>{"ant", "bee"}));
  EXPECT_EQ(d.train.count() + d.validation.count(), 8);
  EXPECT_EQ(reasons(d.inventory), (std::multiset<std::string>{"hidden", "hidden", "hidden", "hidden", ".txt",
                                                              "not in a class's folder"}));
  const std::vector<std::string> notes = data::notes_on(d);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("left out 6 files or folders: 4 hidden, "), std::string::npos) << notes[0];
}

TEST_F(FolderRules, FoldersBelowAClassBelongToIt) {
  classes(4);
  image("train/ant/more/deep/a.png", 201);
  image("train/ant/more/b.PNG", 203);
  fs::create_directory_symlink(at("train/ant"), at("train/ant/more/back"));
  EXPECT_EQ(load().inventory.classes[0].images, 6) << "each once, though a link leads back";
}

TEST_F(FolderRules, ALinkToNowhereIsAnError) {
  classes(4);
  fs::create_symlink("/nowhere/x.png", at("train/ant/link.png"));
  EXPECT_NE(refusal().find("a link to /nowhere/x.png, which is not there"), std::string::npos) << refusal();
}

TEST_F(FolderRules, TheCommonestSizeIsTakenAndSaid) {
  classes(6);
  image("train/ant/000.png", 250, 3, 3);
  image("test/ant/000.png", 251, 40, 20);
  const data::TrainingData d = load();
  EXPECT_EQ(d.train.height, 8);
  EXPECT_NE(data::notes_on(d).at(0).find("12 of 8 x 8, 1 of 3 x 3; all are brought to 8 x 8"),
            std::string::npos);
  EXPECT_EQ(data::load_test_split(spec(), d).images.height, 8);
  EXPECT_EQ(load("?size=12").train.height, 12);
}

TEST_F(FolderRules, BadFilesAreCountedAndLeftOutOnRequest) {
  classes(6);
  file("train/ant/0.png", "<html>404</html>");
  file("train/bee/1.jpg", "");
  file("train/bee/2.webp", std::string(300, '\0'));
  const std::string all = refusal();
  EXPECT_NE(all.find("3 of 14 images cannot be used; the first: "), std::string::npos) << all;
  EXPECT_NE(all.find("ant/0.png: it is a web page"), std::string::npos) << all;
  const data::TrainingData d = load("?skip-bad");
  EXPECT_EQ(d.train.count() + d.validation.count(), 11);
  EXPECT_EQ(reasons(d.inventory).count("cannot be decoded"), 3u);
  file("test/ant/0.png", "junk");
  EXPECT_NE(refusal().find("cannot be used"), std::string::npos);
}

TEST_F(FolderRules, TheLimitReadsNoMoreThanItUses) {
  classes(8);
  for (int i = 0; i < 8; ++i) file("train/ant/bad" + std::to_string(i) + ".png", "junk");
  int read = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    try {
      read += data::load_training_data(spec("?limit=4"), seed, 0.25).train.count() > 0;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(read, 0) << "two of the sixteen, half of which are bad";
}

TEST_F(FolderRules, ATestSplitMayLackAClassAndMayNotHaveAnother) {
  classes(4);
  fs::remove_all(at("test/bee"));
  const data::TrainingData d = load();
  const data::TestData test = data::load_test_split(spec(), d);
  EXPECT_EQ(test.missing, std::vector<std::string>{"bee"});
  EXPECT_NE(data::notes_on(test, 2).at(0).find("no image of 1 of 2 classes (bee)"), std::string::npos);
  image("test/cat/0.png", 3);
  EXPECT_NE(refusal().find("got 'cat', expected one of ant, bee"), std::string::npos) << refusal();
}

TEST_F(FolderRules, NamesAreComparedInNormalFormC) {
  classes(4);
  for (int i = 0; i < 4; ++i) {
    image("train/caf\xC3\xA9/" + std::to_string(i) + ".png", 120 + i);
    image("test/cafe\xCC\x81/" + std::to_string(i) + ".png", 130 + i);  // the accent by itself
  }
  EXPECT_EQ(refusal(), "");
  image("train/cafe\xCC\x81/0.png", 3);
  EXPECT_NE(refusal().find("spelt in two ways"), std::string::npos) << refusal();
}

TEST_F(FolderRules, EqualImagesStandOnOneSide) {
  for (int i = 0; i < 12; ++i) {
    image("train/ant/" + std::to_string(i) + ".png", i / 3);  // four images, three times each
    image("train/bee/" + std::to_string(i) + ".png", 3 + i);  // one of them is an ant's too
  }
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const data::TrainingData d = data::load_training_data(spec(), seed, 0.25);
    EXPECT_EQ(d.duplicates, 9);
    const auto hashes = data::pixel_hashes(d.train);
    const std::set<std::uint64_t> train(hashes.begin(), hashes.end());
    for (const std::uint64_t hash : data::pixel_hashes(d.validation)) EXPECT_FALSE(train.contains(hash));
    EXPECT_GE(d.validation.count(), 4);
    EXPECT_LE(d.validation.count(), 9);
  }
}

TEST_F(FolderRules, CopiesInTheTestSplitAreCounted) {
  classes(4);
  image("test/ant/copy.png", 0);  // as train/ant/0.png
  const data::TestData test = data::load_test_split(spec(), load());
  EXPECT_EQ(test.duplicates, 1);
  EXPECT_NE(data::notes_on(test, 2).at(0).find("1 of 9 test images equal a training image"),
            std::string::npos);
}

TEST_F(FolderRules, ASurveyReadsBothSplitsAndNamesEveryFile) {
  classes(4);
  file("test/bee/0.png", "junk");
  file("train/ant/a.txt", "x");
  const std::vector<data::SplitSurvey> splits = data::survey(spec());
  ASSERT_EQ(splits.size(), 2u);
  EXPECT_EQ(reasons(splits[0].inventory), std::multiset<std::string>{".txt"});
  ASSERT_EQ(splits[1].inventory.left_out.size(), 1u);
  EXPECT_NE(splits[1].inventory.left_out[0].detail.find("text, not an image"), std::string::npos);
}

TEST(Labels, OfIdxMayStartAtOneAndHaveGaps) {
  const TemporaryDirectory place;
  for (const char* part : {"train", "t10k"}) {
    write_idx(place.path(), part, 40, 8, 8);  // labels 0 to 9 in turn
    const fs::path labels = place.path() / (std::string(part) + "-labels-idx1-ubyte");
    std::fstream bytes(labels, std::ios::in | std::ios::out | std::ios::binary);
    for (int i = 0; i < 40; ++i) {  // 1, 3, 5, ...
      bytes.seekp(8 + i);
      bytes.put(static_cast<char>(1 + 2 * (i % 10)));
    }
  }
  const data::DataSpec spec = data::parse_data_spec("idx:" + place.path().string());
  data::TrainingData d = data::load_training_data(spec, 1, 0.25);
  EXPECT_EQ(d.classes, (std::vector<std::string>{"1", "3", "5", "7", "9", "11", "13", "15", "17", "19"}));
  std::string names;
  for (int i = 1; i <= 19; ++i) names += "n" + std::to_string(i) + "\r\n";
  std::ofstream(place.path() / "classes.txt") << names;
  d = data::load_training_data(spec, 1, 0.25);
  EXPECT_EQ(d.classes[1], "n3")
      << "as many names as the highest label, and no label 0: the first is label 1's";
  EXPECT_TRUE(data::load_test_split(spec, d).missing.empty());
}

TEST(Labels, NamesOfCifarComeFromItsFile) {
  const TemporaryDirectory place;
  for (int i = 1; i <= 5; ++i)
    write_cifar(place.path() / ("data_batch_" + std::to_string(i) + ".bin"), 20, i);
  write_cifar(place.path() / "test_batch.bin", 10, 9);
  std::ofstream(place.path() / "batches.meta.txt") << "bolt\nnut\n\nc\nd\ne\nf\ng\nh\ni\nj\n";
  const data::DataSpec spec = data::parse_data_spec("cifar10:" + place.path().string());
  EXPECT_EQ(read_all(data::list_split(spec, data::Split::train)).classes[1], "nut");
  std::ofstream(place.path() / "batches.meta.txt") << "bolt\nnut\n";
  EXPECT_THROW(data::list_split(spec, data::Split::train), Error) << "labels beyond the names";
}

class BalancedLoader : public DeviceTest {};
ADWP_ON_EVERY_DEVICE(BalancedLoader);

TEST_P(BalancedLoader, ShowsClassesEquallyOftenAndAllOfTheirImages) {
  data::ImageSet set{4, 4, 1, {}, {}};
  for (int n = 0; n < 60; ++n) {  // 50 of class 0, 7 of class 1, 3 of class 2
    set.labels.push_back(n < 50 ? 0 : n < 57 ? 1 : 2);
    set.pixels.insert(set.pixels.end(), 16, static_cast<std::uint8_t>(n));
  }
  const auto images = data::DeviceImages::upload(arena(), set);
  data::Loader loader(backend(), arena(), images, 20, PixelNorm{}, {}, 3, data::Sampling::balanced);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    loader.begin_epoch(epoch);
    std::map<std::int32_t, int> shown;
    std::set<int> met;
    for (std::int64_t i = 0; i < loader.batches(); ++i) {
      const Tensor x(arena(), Shape{20, 4, 4, 1}), y(arena(), Shape{20}, DType::i32);
      loader.load(i, x, y);
      for (std::int32_t label : y.to_host<std::int32_t>()) ++shown[label];
      const auto pixels = x.to_host<float>();
      for (std::size_t n = 0; n < 20; ++n) met.insert(static_cast<int>(pixels[16 * n] * 255 + 0.5f));
    }
    EXPECT_EQ(shown, (std::map<std::int32_t, int>{{0, 20}, {1, 20}, {2, 20}}));
    for (int n = 50; n < 60; ++n) EXPECT_TRUE(met.contains(n)) << "no image of a small class is left out";
  }
}

}  // namespace
}  // namespace adwp::test
