// Wrong input: the documented exit status, one clear line, and nothing written over.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "framework/io/atomic_file.h"
#include "tests/support/images.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

constexpr int failed = 1, wrong_use = 2;

constexpr const char* network = R"({"version":1,"stem":{"width":8,"stride":2},"stages":[{"width":8,
 "stride":1,"blocks":[{"kind":"dense","kernel":3,"expansion":1,"squeeze_excite":false,
 "residual":false,"join":"none","from":0}]}],"head":{"width":0},"activation":"relu"})";

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

class WrongInput : public testing::Test {
 protected:
  fs::path place() const { return directory_.path(); }
  fs::path out() const { return place() / "run"; }

  void expect_refusal(const Arguments& arguments, int status, const std::string& says) {
    const Finished finished = run(arguments);
    std::string command;
    for (const std::string& a : arguments) command += a + " ";
    EXPECT_EQ(finished.status, status) << command << finished.err;
    EXPECT_TRUE(finished.err.starts_with("error: [")) << command << finished.err;
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    EXPECT_NE(finished.err.find(says), std::string::npos) << "'" << says << "' is not in: " << finished.err;
    EXPECT_FALSE(fs::exists(out() / "result.json"));
    EXPECT_FALSE(fs::exists(out() / "config.toml"));
  }
  void search(const Arguments& more, int status, const std::string& says) {
    Arguments arguments{ADWP_SEARCH, "--out", out().string(), "--quiet"};
    if (std::find(more.begin(), more.end(), "--data") == more.end()) {
      arguments.insert(arguments.end(), {"--data", "synthetic:200?size=16"});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_refusal(arguments, status, says);
  }
  void train(const std::string& architecture, int status, const std::string& says,
             const std::string& data = "synthetic:200?size=16") {
    write(place() / "net.json", architecture);
    expect_refusal({ADWP_TRAIN, "--architecture", (place() / "net.json").string(), "--data", data, "--out",
                    out().string(), "--quiet", "--epochs", "1"},
                   status, says);
  }

 private:
  TemporaryDirectory directory_;
};

TEST_F(WrongInput, Options) {
  search({"--no-such-option", "3"}, wrong_use, "no-such-option");
  search({"--batch", "many"}, wrong_use, "--batch");
  search({"--batch", "8", "--batch", "9"}, wrong_use, "--batch stands more than once, expected once");
  search({"--batch"}, wrong_use, "--batch lacks its value");
  search({"--augment", "flip", "--no-flip"}, wrong_use, "--augment flip and --no-flip contradict each other");
  search({"--augment", "none,shift"}, wrong_use, "none beside others");
  search({"--augment", "spin", "--data", "folder:/nowhere"}, wrong_use, "[augment]");  // before data are read
  search({"--batch", "0"}, wrong_use, "--batch");
  search({"--weights", "magic"}, wrong_use, "magic");
  search({"--device", "abacus"}, wrong_use, "abacus");
  search({"--engine", "steam"}, wrong_use, "steam");
  search({"--engine", "vendor", "--device", "emulated"}, wrong_use, "--engine");
  search({"--space", "huge"}, wrong_use, "huge");
  expect_refusal({ADWP_SEARCH, "--data", "synthetic"}, wrong_use, "--out");
  expect_refusal({ADWP_TRAIN, "--data", "synthetic", "--out", out().string()}, wrong_use, "--architecture");
}

TEST_F(WrongInput, Configuration) {
  const std::string file = (place() / "settings.toml").string();
  write(file, "colour = 3\n");
  search({"--config", file}, wrong_use, "colour");
  write(file, "batch = [\n");
  search({"--config", file}, wrong_use, "settings.toml");
  write(file, "batch = \"64\"\n");
  search({"--config", file}, wrong_use, "batch");
  search({"--config", (place() / "none.toml").string()}, wrong_use, "none.toml");
}

TEST_F(WrongInput, Spaces) {
  const std::string file = (place() / "space.toml").string();
  write(file, "name = \"x\"\nwings = 2\n");
  search({"--space", file}, wrong_use, "wings");
  write(file, "name = \n");
  search({"--space", file}, wrong_use, "space.toml");
}

TEST_F(WrongInput, DataSets) {
  const std::string where = (place() / "images").string();
  search({"--data", "imagenet:/x"}, wrong_use, "imagenet");
  search({"--data", "folder:" + where}, failed, "images");
  search({"--data", "cifar10:" + where}, failed, "images");
  search({"--data", "idx:" + where}, failed, "images");

  write_png(place() / "images/train/cat/1.png", 8, 8, 10);
  fs::create_directories(place() / "images/train/dog");
  search({"--data", "folder:" + where}, failed, "dog");
  write(place() / "images/train/dog/1.jpg", "this is no image");
  search({"--data", "folder:" + where}, failed, "1.jpg");

  const fs::path binary = place() / "binary";
  fs::create_directories(binary);
  for (int i = 1; i <= 5; ++i) write_cifar(binary / ("data_batch_" + std::to_string(i) + ".bin"), 20, i);
  fs::resize_file(binary / "data_batch_3.bin", 1000);
  search({"--data", "cifar10:" + binary.string()}, failed, "data_batch_3.bin");
}

TEST_F(WrongInput, LimitsAndMemory) {
  search({"--max-params", "10", "--hyper-epochs", "1", "--rank-sample", "0"}, wrong_use, "max");
  search({"--arena-mb", "1"}, wrong_use, "--arena-mb");
}

TEST_F(WrongInput, Architectures) {
  const std::string good = network;
  auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = good;
    return changed.replace(changed.find(from), from.size(), to);
  };
  train("", wrong_use, "architecture");
  train("{", wrong_use, "architecture");
  train("[1]", wrong_use, "object");
  train(with("\"width\":8,\n", "\"width\":2000000000,\n"), wrong_use, "stages[0].width");
  train(with("\"kernel\":3", "\"kernel\":-7"), wrong_use, "kernel");
  train(with("\"kernel\":3", "\"kernel\":1e300"), wrong_use, "kernel");
  train(with("\"version\":1", "\"version\":99"), wrong_use, "version");
  train(with("\"from\":0", "\"from\":0,\"colour\":1"), wrong_use, "colour");
  train(std::string(100000, '['), wrong_use, "architecture");
}

TEST_F(WrongInput, PlacesThatAreTakenOrCannotBeWritten) {
  write(out() / "precious.txt", "data");
  search({}, wrong_use, out().string());
  EXPECT_EQ(io::read_text((out() / "precious.txt").string()), "data");
  fs::remove_all(out());
  write(out(), "a file");
  search({}, wrong_use, out().string());
  EXPECT_EQ(io::read_text(out().string()), "a file");
  expect_refusal({ADWP_SEARCH, "--data", "synthetic:200?size=16", "--out", "/proc/none/run"}, wrong_use,
                 "/proc/none");
}

TEST_F(WrongInput, ATestSplitThatIsMissingIsFoundBeforeTraining) {
  for (const char* name : {"cat", "dog"}) {
    for (int i = 0; i < 40; ++i) {
      write_png(place() / "images/train" / name / (std::to_string(i) + ".png"), 8, 8, i);
    }
  }
  train(network, failed, "no test split", "folder:" + (place() / "images").string());
  EXPECT_FALSE(fs::exists(out() / "checkpoints/network.safetensors"));
}

TEST_F(WrongInput, AnswersThatCannotBePrinted) {
  const Finished help = run({"/bin/sh", "-c", std::string(ADWP_SEARCH) + " --help > /dev/full"});
  EXPECT_EQ(help.status, failed) << help.err;
}

}  // namespace
}  // namespace adwp::test
