#include "apps/common/event_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "tests/support/temporary_directory.h"

namespace adwp::apps {
namespace {

namespace fs = std::filesystem;

// Every build that runs the tests can write them, but for one without protobuf.
bool supported() {
  try {
    EventFile::require_supported();
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::vector<fs::path> files(const fs::path& folder) {
  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(folder)) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<std::string> records(const fs::path& file) { return read_records(io::read_text(file.string())); }

// The check value of the Castagnoli polynomial, and RFC 3720, B.4: 32 zeros, 32 ones, 0 to 31.
TEST(EventFile, Crc32cOfKnownTexts) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending += c;
  EXPECT_EQ(crc32c(ascending), 0x46DD794Eu);
  EXPECT_EQ(masked_crc32c("123456789"), ((0xE3069283u >> 15) | (0xE3069283u << 17)) + 0xA282EAD8u);
}

TEST(EventFile, RecordsAreFramed) {
  const std::string text("ab\0c", 4);
  const std::string record = frame_record(text);
  ASSERT_EQ(record.size(), 8 + 4 + text.size() + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\4\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 4), text);
  const std::string two = record + frame_record("");
  EXPECT_EQ(read_records(two), (std::vector<std::string>{text, ""}));
  for (std::size_t cut = record.size(); cut < two.size(); ++cut) {
    EXPECT_EQ(read_records(two.substr(0, cut)), std::vector<std::string>{text}) << cut;
  }
  for (std::size_t at = 0; at < record.size(); ++at) {
    std::string damaged = two;
    damaged[at] ^= 1;
    EXPECT_TRUE(read_records(damaged).empty()) << at;
  }
  std::string endless(12, '\xFF');  // a length that overflows, with its right checksum
  const std::uint32_t crc = masked_crc32c(endless.substr(0, 8));
  for (int i = 0; i < 4; ++i) endless[8 + static_cast<std::size_t>(i)] = static_cast<char>(crc >> (8 * i));
  EXPECT_TRUE(read_records(endless + "some bytes more").empty());
}

TEST(EventFile, BeginsWithTheVersionAndWritesScalarsAtOnce) {
  if (!supported()) GTEST_SKIP() << "no protobuf";
  const test::TemporaryDirectory folder;
  EventFile events(folder.path());
  events.write(1, {{"loss", 0.5}});
  ASSERT_EQ(files(folder.path()).size(), 1u);
  const auto all = records(files(folder.path())[0]);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_NE(all[0].find("\x1A\x0D"
                        "brain.Event:2"),
            std::string::npos);  // field 3, 13 bytes
  // step: field 2, 1; summary: field 5; value: field 1; tag: field 1, "loss"; simple_value: field 2, 0.5
  EXPECT_NE(all[1].find(std::string("\x10\x01\x2A\x0D\x0A\x0B\x0A\x04loss\x15\0\0\0\x3F", 17)),
            std::string::npos);
}

TEST(EventFile, AResumedRunGoesOnInANewFileWithoutRepeatingSteps) {
  if (!supported()) GTEST_SKIP() << "no protobuf";
  const test::TemporaryDirectory folder;
  {
    EventFile events(folder.path());
    for (int step : {1, 2, 3}) events.write(step, {{"loss", 0.5}});
  }
  {  // killed in the middle of a record
    std::ofstream(files(folder.path())[0], std::ios::binary | std::ios::app)
        << frame_record("event").substr(0, 15);
  }
  EventFile events(folder.path());
  events.write(3, {{"loss", 0.5}, {"accuracy", 0.25}});  // loss is there, accuracy is not
  events.write(3, {{"loss", 0.5}});
  events.write(4, {{"loss", 0.5}});
  events.write(4, {{"loss", 0.5}});
  const auto all = files(folder.path());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(records(all[0]).size(), 4u);
  const auto added = records(all[1]);
  ASSERT_EQ(added.size(), 3u);
  EXPECT_EQ(added[1].find("loss"), std::string::npos);
  EXPECT_NE(added[1].find("accuracy"), std::string::npos);
  EXPECT_NE(added[2].find("loss"), std::string::npos);
}

TEST(EventFile, SaysWhenItCannotBeWritten) {
  if (!supported()) GTEST_SKIP() << "no protobuf";
  const test::TemporaryDirectory folder;
  io::write_atomically((folder.path() / "file").string(), "");
  EXPECT_THROW(EventFile(folder.path() / "file"), Error);
}

}  // namespace
}  // namespace adwp::apps
