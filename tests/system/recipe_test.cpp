// Trainings by a recipe, as a user runs them.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <filesystem>

#include "framework/io/atomic_file.h"
#include "nas/space/search_space.h"
#include "tests/support/device.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/system/tiny_search.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* everything =
    "batch = 32\nlr = 0.05\nema = 0.9\nprogressive = \"8:0.5,12:0.75\"\ncutout = 0.25\nerasing = 0.25\nmixup "
    "= 0.2\ncutmix = 1\n"
    "mix-probability = 0.5\nlabel-smoothing = 0.1\ndrop-path = 0.1\ndropout = 0.1\ncycles = 2\n"
    "trivial-augment = true\ntest-flip = true\nauxiliary = 0.4\n";

class RecipeRuns : public testing::Test {
 protected:
  void SetUp() override {
    io::write_atomically((place() / "net.json").string(),
                         nas::SearchSpace::preset("tiny").smallest().to_json());
    io::write_atomically((place() / "own.toml").string(), everything);
  }
  const fs::path& place() const { return folder_.path(); }
  Arguments train(const std::string& out, const Arguments& more) const {
    Arguments arguments{ADWP_TRAIN,
                        "--architecture",
                        (place() / "net.json").string(),
                        "--data",
                        "synthetic:600?size=16",
                        "--out",
                        (place() / out).string(),
                        "--epochs",
                        "4",
                        "--validation",
                        "0.2",
                        "--threads",
                        "1",
                        "--device",
                        "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::string config(const std::string& out) const { return bytes_of(place() / out / "config.toml"); }

 private:
  TemporaryDirectory folder_;
};

TEST_F(RecipeRuns, OneOfEveryPartIsKilledAndComesToTheSameBits) {
  if (open_device("cpu") == nullptr) GTEST_SKIP() << "no device cpu here";
  ASSERT_EQ(run(train("teacher", {})).status, 0);
  const Arguments parts{"--recipe", (place() / "own.toml").string(), "--teacher",
                        (place() / "teacher").string()};
  const Finished finished = run(train("whole", parts));
  ASSERT_EQ(finished.status, 0) << finished.err;
  Arguments broken = train("broken", parts);
  {
    Process process(broken);
    ASSERT_TRUE(process.wait_for("train         50 %")) << process.wait().err;
    process.signal(SIGKILL);
    process.wait();
  }
  broken.push_back("--resume");
  const Finished resumed = run(broken);
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resumed after epoch"), std::string::npos) << resumed.err;
  const nlohmann::json result = read_json(place() / "whole/result.json");
  EXPECT_EQ(without_times(read_json(place() / "broken/result.json")), without_times(result));
  for (const char* name : {"network.safetensors", "network.previous.safetensors"}) {
    EXPECT_EQ(bytes_of(place() / "broken/checkpoints" / name),
              bytes_of(place() / "whole/checkpoints" / name));
  }
  // What the run says of its network is what the stored network does.
  EXPECT_EQ(result["weights"], "averaged");
  const nlohmann::json test = read_json(place() / "whole/test.json");
  double hits = 0, images = 0;
  for (const auto& cell : test["confusion"]) {
    images += cell[2].get<double>();
    if (cell[0] == cell[1]) hits += cell[2].get<double>();
  }
  EXPECT_NEAR(result["test_accuracy"].get<double>(), hits / images, 1e-9);
  // With mirrors there is another figure, beside the one without.
  const double flipped = result["test_flip"]["test_accuracy"].get<double>();
  EXPECT_NEAR(flipped * images, std::round(flipped * images), 1e-6);
  EXPECT_EQ(result["test_flip"]["test_error"].get<double>(), 1 - flipped);
  // Its settings are whole: the run is done again from config.toml alone, the recipe's file gone.
  fs::remove(place() / "own.toml");
  const Finished again = run({ADWP_TRAIN, "--config", (place() / "whole/config.toml").string(), "--out",
                              (place() / "again").string()});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(without_times(read_json(place() / "again/result.json")), without_times(result));
}

TEST_F(RecipeRuns, WhatIsGivenByHandWins) {
  if (open_device("cpu") == nullptr) GTEST_SKIP() << "no device cpu here";
  const Finished finished =
      run(train("run", {"--recipe", (place() / "own.toml").string(), "--ema", "0", "--mixup", "1.5"}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  for (const char* line :
       {"\nema = 0\n", "\nmixup = 1.5\n", "\ncutmix = 1\n", "\nepochs = 4\n", "\nbatch = 32\n"}) {
    EXPECT_NE(config("run").find(line), std::string::npos) << line << config("run");
  }
  EXPECT_FALSE(read_json(place() / "run/result.json").contains("raw"));
  EXPECT_TRUE(read_json(place() / "run/result.json").contains("test_flip"));
}

TEST_F(RecipeRuns, RecipesOfTheProgramAreReadAndWrongOnesRefused) {
  if (open_device("cpu") == nullptr) GTEST_SKIP() << "no device cpu here";
  for (const char* name : {"fast", "standard", "strong", "paper"}) {
    const Finished finished = run(train(name, {"--recipe", name, "--batch", "64"}));
    ASSERT_EQ(finished.status, 0) << finished.err;
  }
  EXPECT_NE(config("paper").find("\ncutmix = 1\n"), std::string::npos);
  EXPECT_NE(config("standard").find("\ncutmix = 0\n"), std::string::npos);
  const auto refused = [&](const std::string& contents, const std::string& says) {
    io::write_atomically((place() / "wrong.toml").string(), contents);
    const Finished finished = run(train("wrong", {"--recipe", (place() / "wrong.toml").string()}));
    EXPECT_EQ(finished.status, 2);
    EXPECT_NE(finished.err.find(says), std::string::npos) << finished.err;
    EXPECT_FALSE(fs::exists(place() / "wrong"));
  };
  refused("seed = 3\n", "no part of a recipe");
  refused("mixpu = 1\n", "did you mean mixup?");
  refused("mixup = 3\n", "out of its range");
  for (const char* sizes : {"8", "8:", ":1", "8:x", "8:0", "8:1.5", "3:0.5", "8:0.5,8:0.7", "8:0.5,12:0.5",
                            "8:0.5,", "8:0.5 12:0.7", "12:0.5,8:0.7"}) {
    refused(fmt::format("progressive = \"{}\"\n", sizes), "[train] bad --progressive, got");
  }
  refused("mixup = \"1\"\n", "wrong type");
  const Finished large = run(train("large", {"--progressive", "16:0.5"}));
  EXPECT_EQ(large.status, 2);
  EXPECT_NE(large.err.find("less than the data's 16 px"), std::string::npos) << large.err;
  const Finished unknown = run(train("wrong", {"--recipe", "fsat"}));
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("expected fast, paper, standard, strong"), std::string::npos) << unknown.err;
}

TEST_F(RecipeRuns, ATeacherOfOtherClassesOrImagesIsRefused) {
  if (open_device("cpu") == nullptr) GTEST_SKIP() << "no device cpu here";
  ASSERT_EQ(run(train("teacher", {})).status, 0);
  Arguments other = train("pupil", {"--teacher", (place() / "teacher").string()});
  add(other, {"--data", "synthetic:600?size=8"});
  const Finished finished = run(other);
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("[teacher]"), std::string::npos) << finished.err;
  const Finished none = run(train("pupil", {"--teacher", (place() / "nobody").string()}));
  EXPECT_EQ(none.status, 2) << none.err;
}

}  // namespace
}  // namespace adwp::test
