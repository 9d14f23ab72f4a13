#include "apps/common/run_log.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "tests/support/temporary_directory.h"

namespace adwp::apps {
namespace {

std::vector<nlohmann::json> lines(const std::filesystem::path& path) {
  std::ifstream input(path);
  std::vector<nlohmann::json> all;
  for (std::string line; std::getline(input, line);) all.push_back(nlohmann::json::parse(line));
  return all;
}

TEST(JsonLog, WritesEachLineAtOnce) {
  const test::TemporaryDirectory folder;
  JsonLog log(folder.path() / "log.jsonl");
  log.write("train", {{"epoch", 1}, {"loss", 0.5}});
  ASSERT_EQ(lines(folder.path() / "log.jsonl").size(), 1u);
  log.write("train", {{"epoch", 2}, {"loss", std::nan("")}});
  const auto all = lines(folder.path() / "log.jsonl");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["phase"], "train");
  EXPECT_EQ(all[0]["loss"], 0.5);
  EXPECT_GE(all[1]["seconds"], all[0]["seconds"]);
  EXPECT_TRUE(all[1]["loss"].is_null());
}

TEST(JsonLog, AppendsAndCutsAnUnfinishedLine) {
  const test::TemporaryDirectory folder;
  const auto path = folder.path() / "log.jsonl";
  std::ofstream(path) << "{\"epoch\": 1}\n{\"epo";
  JsonLog(path).write("train", {{"epoch", 2}});
  const auto all = lines(path);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["epoch"], 1);
  EXPECT_EQ(all[1]["epoch"], 2);
}

TEST(JsonLog, SaysWhenItCannotBeWritten) {
  const test::TemporaryDirectory folder;
  EXPECT_THROW(JsonLog(folder.path() / "none" / "log.jsonl"), Error);
  JsonLog full("/dev/full");
  EXPECT_THROW(full.write("train", {{"epoch", 1}}), Error);
}

}  // namespace
}  // namespace adwp::apps
