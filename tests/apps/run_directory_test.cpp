#include "apps/common/run_directory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "framework/core/error.h"
#include "tests/support/temporary_directory.h"

namespace adwp::apps {
namespace {

namespace fs = std::filesystem;

void expect_usage_error(const fs::path& path, bool resume, const std::string& part) {
  try {
    const RunDirectory run(path, resume);
    FAIL() << path << " was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::usage);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

std::string contents(const fs::path& path) {
  std::ifstream input(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(input), {}};
}

TEST(RunDirectory, CreatesParentsAndCheckpoints) {
  const test::TemporaryDirectory folder;
  const RunDirectory run(folder.path() / "a" / "b", false);
  EXPECT_FALSE(run.resumes());
  EXPECT_TRUE(fs::is_directory(folder.path() / "a" / "b" / "checkpoints"));
  EXPECT_EQ(run.result(), folder.path() / "a" / "b" / "result.json");
}

TEST(RunDirectory, TakesAnEmptyDirectory) {
  const test::TemporaryDirectory folder;
  EXPECT_NO_THROW(RunDirectory(folder.path(), false));
}

TEST(RunDirectory, RefusesAUsedDirectoryAndLeavesItAlone) {
  const test::TemporaryDirectory folder;
  std::ofstream(folder.path() / "result.json") << "precious";
  expect_usage_error(folder.path(), false, "the directory is used");
  EXPECT_EQ(contents(folder.path() / "result.json"), "precious");
  EXPECT_FALSE(fs::exists(folder.path() / "checkpoints"));
}

TEST(RunDirectory, ResumesARun) {
  const test::TemporaryDirectory folder;
  const fs::path path = folder.path() / "run";
  {
    const RunDirectory run(path, false);
    std::ofstream(run.config()) << "batch = 8\n";
  }
  expect_usage_error(path, false, "the directory is used");
  EXPECT_TRUE(RunDirectory(path, true).resumes());
}

TEST(RunDirectory, ResumesARunThatEndedBeforeItsSettingsWereWritten) {
  const test::TemporaryDirectory folder;
  const fs::path path = folder.path() / "run";
  {
    const RunDirectory run(path, false);
    std::ofstream{run.log()};
  }
  EXPECT_FALSE(RunDirectory(path, true).resumes());
  EXPECT_FALSE(RunDirectory(path, false).resumes());
}

TEST(RunDirectory, RefusesToResumeWhatIsNoRun) {
  const test::TemporaryDirectory folder;
  expect_usage_error(folder.path() / "none", true, "nothing to resume");
  EXPECT_FALSE(fs::exists(folder.path() / "none"));
  std::ofstream(folder.path() / "letter.txt") << "dear";
  expect_usage_error(folder.path(), true, "no run to resume");
}

TEST(RunDirectory, RefusesWhatCannotBeADirectory) {
  const test::TemporaryDirectory folder;
  std::ofstream(folder.path() / "file") << "text";
  expect_usage_error(folder.path() / "file", false, "not a directory");
  expect_usage_error(folder.path() / "file" / "below", false, "cannot create");
  expect_usage_error("", false, "cannot create");
}

TEST(RunDirectory, RefusesAnUnwritableDirectory) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const test::TemporaryDirectory folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  expect_usage_error(folder.path(), false, "cannot write");
  expect_usage_error(folder.path() / "run", false, "cannot create");
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST(RunDirectory, IsHeldByOneAtATime) {
  const test::TemporaryDirectory folder;
  const RunDirectory run(folder.path(), false);
  expect_usage_error(folder.path(), true, "in use by another process");
}

}  // namespace
}  // namespace adwp::apps
