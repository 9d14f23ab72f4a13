// The leaderboard of lab 6: order, ties, repeated runs, files put together, damage.
#include <gtest/gtest.h>

#include <fstream>

#include "course/common/report.h"
#include "course/lab6/check_leaderboard.h"
#include "framework/io/atomic_file.h"
#include "framework/io/temporary_directory.h"

namespace adwp::course {
namespace {

constexpr const char* header = "place,name,data_sets,accuracy,random_halving,gain\n";

class Leaderboard : public testing::Test {
 protected:
  // What is written after `text` has been read and `entry` has entered.
  std::string after(const std::string& text, const Entry& entry) {
    if (!text.empty()) std::ofstream(path_) << text;
    write_leaderboard(path_, with_entry(read_leaderboard(path_), entry));
    return io::read_text(path_);
  }
  // The message that reading `text` ends with.
  std::string fault_of(const std::string& text) {
    std::ofstream(path_) << text;
    try {
      read_leaderboard(path_);
    } catch (const Wrong& wrong) {
      return wrong.what();
    }
    return "";
  }

  io::TemporaryDirectory folder_;
  std::string path_ = folder_.path() / "leaderboard.csv";
};

TEST_F(Leaderboard, BeginsWithNoFile) {
  EXPECT_EQ(after("", {"ada", 1, 0.8, 0.7}), std::string(header) + "1,ada,1,0.8000,0.7000,0.1000\n");
}

TEST_F(Leaderboard, GreatestGainFirstWithinTheSameDataSets) {
  EXPECT_EQ(after(std::string(header) + "1,ada,1,0.8,0.7,0.1\n1,bob,2,0.9,0.5,0.4\n", {"cid", 1, 0.85, 0.7}),
            std::string(header) +
                "1,cid,1,0.8500,0.7000,0.1500\n2,ada,1,0.8000,0.7000,0.1000\n"
                "1,bob,2,0.9000,0.5000,0.4000\n");
}

TEST_F(Leaderboard, EqualGainsShareAPlaceAndKeepTheirOrder) {
  EXPECT_EQ(after(std::string(header) + "1,ada,1,0.8,0.7,0.1\n2,bob,1,0.75,0.7,0.05\n", {"cid", 1, 0.9, 0.8}),
            std::string(header) +
                "1,ada,1,0.8000,0.7000,0.1000\n1,cid,1,0.9000,0.8000,0.1000\n"
                "3,bob,1,0.7500,0.7000,0.0500\n");
}

TEST_F(Leaderboard, ARepeatedRunTakesThePlaceOfTheEarlierOne) {
  EXPECT_EQ(after(std::string(header) + "1,ada,1,0.8,0.7,0.1\n1,ada,2,0.8,0.7,0.1\n", {"ada", 1, 0.71, 0.7}),
            std::string(header) + "1,ada,1,0.7100,0.7000,0.0100\n1,ada,2,0.8000,0.7000,0.1000\n");
}

TEST_F(Leaderboard, FilesPutTogetherAreRead) {
  std::ofstream(path_) << header << "1,ada,1,0.8,0.7,0.1\r\n\n" << header << "1,bob,1,0.9,0.7,0.2";
  const std::vector<Entry> entries = read_leaderboard(path_);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "bob");
  EXPECT_EQ(entries[1].name, "ada");
}

TEST_F(Leaderboard, DamageIsSaidWithItsLine) {
  for (const char* line :
       {"1,ada,1,0.8,0.7", "1,,1,0.8,0.7,0.1", "1,ada,x,0.8,0.7,0.1", "1,ada,1,80,0.7,0.1",
        "1,ada,1,nan,0.7,0.1", "1,ada,1,0.8,-0.7,0.1", "1,ada,1,0.8x,0.7,0.1", "\x01\x02"}) {
    const std::string message = fault_of(std::string(header) + "1,bob,1,0.9,0.7,0.2\n" + line + "\n");
    EXPECT_NE(message.find("line 3: got '"), std::string::npos) << line << " -> " << message;
    EXPECT_NE(message.find("mend the line or delete it"), std::string::npos) << line;
  }
}

TEST_F(Leaderboard, AFileThatIsNoneIsNotWrittenOver) {
  const std::string text = std::string(header) + "what is this\n";
  EXPECT_NE(fault_of(text), "");
  EXPECT_EQ(io::read_text(path_), text);
}

}  // namespace
}  // namespace adwp::course
