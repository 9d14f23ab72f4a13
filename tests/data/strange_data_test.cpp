// Data as they lie about, in wrong places and under wrong names: nothing is taken for something else in
// silence.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "data/image_file.h"
#include "data/readers.h"
#include "data/survey.h"
#include "data/test_split.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "tests/support/images.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;

class StrangeData : public testing::Test {
 protected:
  fs::path at(const std::string& name) const { return place_.path() / name; }
  void image(const std::string& name, int level, int side = 8) { write_png(at(name), side, side, level); }
  void file(const std::string& name, const std::string& bytes) {
    fs::create_directories(at(name).parent_path());
    std::ofstream(at(name), std::ios::binary) << bytes;
  }
  void classes() {
    for (const std::string name : {"ant", "bee"}) {
      for (int i = 0; i < 4; ++i) {
        image("train/" + name + "/" + std::to_string(i) + ".png", 10 * i + (name == "ant"));
        image("test/" + name + "/" + std::to_string(i) + ".png", 100 + 10 * i + (name == "ant"));
      }
    }
  }
  void idx(int labels) {
    write_idx(place_.path(), "train", 4 * labels, 8, 8);
    write_idx(place_.path(), "t10k", labels, 8, 8);
  }
  data::DataSpec spec(const std::string& kind = "folder", const std::string& more = "") const {
    return data::parse_data_spec(kind + ":" + place_.path().string() + more);
  }
  static std::string refusal(const data::DataSpec& spec) {
    try {
      data::load_test_split(spec, data::load_training_data(spec, 1, 0.25));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void expect_refusal(const data::DataSpec& spec, const std::string& says) {
    EXPECT_NE(refusal(spec).find(says), std::string::npos) << "'" << says << "' is not in: " << refusal(spec);
  }

 private:
  TemporaryDirectory place_;
};

TEST_F(StrangeData, NamesStandOnceAndInUtf8) {
  idx(10);
  const std::string rest = "\nc\nd\ne\nf\ng\nh\ni\nj\n";
  file("classes.txt", "a\nb\na\nd\ne\nf\ng\nh\ni\nj\n");
  expect_refusal(spec("idx"), "classes.txt:3: 'a' stands in line 1 too");
  file("classes.txt", std::string("\xFF\xFE") + std::string("a\0\n\0", 4));
  expect_refusal(spec("idx"), "not a list of names in UTF-8 but UTF-16");
  file("classes.txt",
       "\xEF\xBB\xBF"
       "a\r\nb\r\n" +
           rest);
  EXPECT_EQ(data::list_split(spec("idx"), data::Split::train).classes[0], "a") << "no mark of bytes in it";
  file("classes.txt", "a\rb\rc\rd\re\rf\rg\rh\ri\rj");
  EXPECT_EQ(data::list_split(spec("idx"), data::Split::train).classes[9], "j");
  file("classes.txt", "a\nb\n");
  expect_refusal(spec("idx"), "names 2 classes, got label 2; its first line names label 0");
}

TEST_F(StrangeData, AnIdxFileOfAnotherTypeOrLengthIsSaidToBeThat) {
  idx(10);
  const std::string images = "train-images-idx3-ubyte", labels = "train-labels-idx1-ubyte";
  const std::string whole = io::read_text(at(images).string());
  file(images, whole + "x");
  expect_refusal(spec("idx"), "is too long, got");
  file(images, std::string("\0\0\x0D\x03", 4) + whole.substr(4));
  expect_refusal(spec("idx"), "it is one of type 0x0d (0x08: unsigned bytes) with 3 dimensions");
  fs::rename(at(images), at("mine"));
  expect_refusal(spec("idx"), "holds mine, ");
}

TEST_F(StrangeData, AFolderThatIsNotThereIsAnsweredWithWhatIs) {
  classes();
  fs::rename(at("test"), at("valid"));
  expect_refusal(spec(), "no test split, expected ");
  expect_refusal(spec(), " holds train, valid");
  fs::create_symlink("nowhere", at("test"));
  expect_refusal(spec(), "test is a link to nowhere, which is not there");
  fs::rename(at("train"), at("Train"));
  expect_refusal(spec(), "holds Train, test, valid");
  expect_refusal(spec("cifar10"), "data_batch_1.bin; ");
}

TEST_F(StrangeData, ASplitBesideTrainAndTestIsSaidToBeUnread) {
  classes();
  image("val/ant/0.png", 3);
  const data::TrainingData d = data::load_training_data(spec(), 1, 0.25);
  ASSERT_EQ(d.inventory.left_out.size(), 1u);
  EXPECT_EQ(d.inventory.left_out[0].path, at("val").string());
  EXPECT_EQ(d.inventory.left_out[0].reason, "neither train nor test");
}

TEST_F(StrangeData, ClassesWithoutImages) {
  classes();
  fs::create_directory(at("test/cat"));  // of which nothing is asked
  fs::create_directory(at("train/lost+found"));
  image("train/ant/@eaDir/0.png", 77);
  EXPECT_EQ(refusal(spec()), "");
  for (int i = 0; i < 4; ++i) fs::remove(at("test/bee/" + std::to_string(i) + ".png"));
  const auto d = data::load_training_data(spec(), 1, 0.25);
  EXPECT_EQ(d.train.count() + d.validation.count(), 8);
  EXPECT_EQ(data::load_test_split(spec(), d).missing, std::vector<std::string>{"bee"});
  fs::create_directory(at("train/cat"));
  expect_refusal(spec(), "class 'cat' has no training image");
  EXPECT_EQ(data::survey(spec())[0].inventory.classes[2].images, 0) << "inspect shows it";
}

TEST_F(StrangeData, ThatAllClassesLieInOneFolderIsSaid) {
  classes();
  fs::create_directory(at("train/images"));
  for (const char* name : {"ant", "bee"}) fs::rename(at("train") / name, at("train/images") / name);
  const std::vector<std::string> notes = data::notes_on(data::load_training_data(spec(), 1, 0.25));
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_TRUE(notes[0].starts_with("one class, 'images': there is nothing to learn")) << notes[0];
}

TEST_F(StrangeData, ALinkUpwardsBringsNoOtherClassIn) {
  classes();
  fs::create_directory_symlink(at("train"), at("train/ant/all"));
  fs::create_directory_symlink("../..", at("train/ant/up"));
  const data::TrainingData d = data::load_training_data(spec(), 1, 0.25);
  EXPECT_EQ(d.inventory.classes[0].images, 4);
  ASSERT_EQ(d.inventory.left_out.size(), 2u);
  EXPECT_EQ(d.inventory.left_out[0].reason, "link that leads back");
}

TEST_F(StrangeData, WhatIsNoFileIsSaidToBeThat) {
  classes();
  file("train/ant/x.txt", "");
  EXPECT_EQ(mkfifo(at("train/ant/pipe.png").c_str(), 0600), 0);
  expect_refusal(spec(), "pipe.png: it is no regular file but a pipe");
  try {
    data::decode_image(at("train"), 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("it is a folder"), std::string::npos) << error.what();
  }
}

TEST_F(StrangeData, WhereNothingCanBeDecodedTheSurveyStillNamesAll) {
  for (const char* name : {"train/ant/0.png", "train/bee/0.png"}) file(name, "junk");
  expect_refusal(spec("folder", "?skip-bad"), "none of 2 images can be decoded");
  const auto splits = data::survey(spec());
  ASSERT_EQ(splits.size(), 1u);
  ASSERT_EQ(splits[0].inventory.left_out.size(), 2u);
  EXPECT_EQ(splits[0].inventory.left_out[0].detail, "it is text, not an image") << "without its path again";
}

TEST_F(StrangeData, ASurveyCountsTestImagesThatStandInTraining) {
  classes();
  image("test/bee/copy.png", 0);
  EXPECT_EQ(data::survey(spec())[1].in_training, 1);
}

TEST_F(StrangeData, OneSizeThatIsNotKeptIsSaid) {
  classes();
  const data::TrainingData d = data::load_training_data(spec("folder", "?size=12"), 1, 0.25);
  ASSERT_EQ(data::notes_on(d).size(), 1u);
  EXPECT_EQ(data::notes_on(d)[0], "training split: images of 8 x 8; all are brought to 12 x 12");
}

TEST_F(StrangeData, AClassKeepsAnImageToTrainOnWhateverTheFraction) {
  classes();
  const data::TrainingData d = data::load_training_data(spec(), 1, 0.9);
  EXPECT_EQ(d.train.count(), 2);
  EXPECT_EQ(d.validation.count(), 6);
}

TEST(StrangeSpec, SettingsStandOnceAndAreJoinedByAnd) {
  const auto refuses = [](const std::string& text, const std::string& says) {
    try {
      data::parse_data_spec(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
    }
  };
  refuses("folder:a?limit=10&limit=5", "'limit' stands twice");
  refuses("folder:a?skip-bad&size=8&skip-bad", "'skip-bad' stands twice");
  refuses("folder:a?limit=5?size=8", "a second '?'");
  refuses("folder:why?now", "wants one more '?' behind it");
  EXPECT_EQ(data::parse_data_spec("folder:why?now?").directory, "why?now");
  EXPECT_EQ(data::parse_data_spec("folder:a?exif=apply").orientation, data::Orientation::apply);
}

}  // namespace
}  // namespace adwp::test
