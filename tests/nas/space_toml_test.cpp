// Files that are no search space, and cost neither memory nor time.
#include <gtest/gtest.h>

#include <fstream>

#include "apps/common/toml_values.h"
#include "framework/core/error.h"
#include "nas/space/search_space.h"
#include "tests/support/temporary_directory.h"

namespace adwp::nas {
namespace {

class HostileToml : public testing::Test {
 protected:
  void refuse(const std::string& text, const std::string& says) {
    const std::string path = (folder_.path() / "f.toml").string();
    std::ofstream(path, std::ios::binary) << text;
    refuse_file(path, says);
  }
  void refuse_file(const std::string& path, const std::string& says) {
    for (const bool space : {true, false}) {
      try {
        if (space) SearchSpace::from_toml(path);
        if (!space) apps::read_flat_toml(path);
        FAIL() << says;
      } catch (const Error& error) {
        EXPECT_EQ(error.fault(), Fault::usage);
        EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
      }
    }
  }

 private:
  test::TemporaryDirectory folder_;
};

TEST_F(HostileToml, KeysOfAHundredThousandParts) {
  std::string key = "a";
  for (int i = 0; i < 100'000; ++i) key += ".a";
  refuse(key + " = 1", "a line with 24 dots or more");
  refuse("[" + key + "]", "a line with 24 dots or more");
}

TEST_F(HostileToml, ValuesNestedWithoutEnd) {
  refuse("a = " + std::string(100'000, '['), "f.toml");
  std::string tables = "a = 1";
  for (int i = 0; i < 100'000; ++i) tables = "a = {" + tables;
  refuse(tables, "f.toml");
}

// As deep as both limits together let it be: must be parsed, and taken apart again, on the stack there is.
TEST_F(HostileToml, AsDeepAsIsAllowed) {
  std::string text = "x = ", key = "a";
  for (int i = 1; i < 24; ++i) key += ".a";
  for (int i = 0; i < 120; ++i) text += "[\n{" + key + " = ";
  text += "1";
  for (int i = 0; i < 120; ++i) text += "}\n]";
  refuse(text, "f.toml");
}

TEST_F(HostileToml, FilesWithoutEnd) {
  refuse_file("/dev/zero", "no regular file");
  refuse("a = '" + std::string(2 << 20, 'x') + "'", "too large");
}

}  // namespace
}  // namespace adwp::nas
