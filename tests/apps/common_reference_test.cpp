#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <thread>

#include "apps/common/run_directory.h"
#include "apps/common/terminal.h"
#include "nas/network/inference.h"
#include "tests/support/temporary_directory.h"

namespace adwp::apps {
namespace {

TEST(ProgressReference, WhatIsLeftIsWhatIsNotDone) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  const auto start = std::chrono::steady_clock::now();
  {
    Progress progress(false, file.get());
    progress.begin("search", 4, "steps");
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    progress.milestone(1, "");
  }
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::rewind(file.get());
  char line[200] = {};
  ASSERT_NE(std::fgets(line, sizeof line, file.get()), nullptr);
  double rate = 0, left = 0;
  ASSERT_EQ(std::sscanf(line, "search 25 %% %lf steps/s %lf s left", &rate, &left), 2) << line;
  // Three steps more at the pace of the first.
  EXPECT_GE(left, 0.85);
  EXPECT_LE(left, 3 * took + 0.1);
  EXPECT_NEAR(rate * left, 3, 0.3);
}

TEST(RunDirectoryReference, OnlyWhatAnUnfinishedWriteLeftIsRemoved) {
  const test::TemporaryDirectory folder;
  std::ofstream(folder.path() / "config.toml") << "seed = 1\n";
  for (const char* name : {"result.json.tmp123", "notes.tmp", "notes.tmpold", "notes.tmp12a"}) {
    std::ofstream(folder.path() / name) << "text";
  }
  const RunDirectory run(folder.path(), true);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "result.json.tmp123"));
  for (const char* name : {"notes.tmp", "notes.tmpold", "notes.tmp12a"}) {
    EXPECT_TRUE(std::filesystem::exists(folder.path() / name)) << name;
  }
}

TEST(InferenceReference, SoftmaxOfLargeLogitsIsFinite) {
  const std::vector<double> even = nas::Inference::softmax(std::vector<float>{1000, 1000});
  EXPECT_DOUBLE_EQ(even[0], 0.5);
  const std::vector<double> odds = nas::Inference::softmax(std::vector<float>{-2000, -2000 + 1});
  EXPECT_NEAR(odds[1] / odds[0], std::exp(1.0), 1e-9);
}

}  // namespace
}  // namespace adwp::apps
