#include "framework/core/error.h"

#include <gtest/gtest.h>

namespace adwp {
namespace {

TEST(Error, IsOneLineOfBoundedLengthWhateverItNames) {
  EXPECT_STREQ(Error(Fault::failed, "data", "a\nb\x1b[2J\x7f").what(), "[data] a\\nb\\x1b[2J\\x7f");
  EXPECT_STREQ(Error(Fault::failed, "data", "\xc3\xbc \\n").what(), "[data] \xc3\xbc \\n");
  const std::string path(4096, 'p');
  EXPECT_EQ(Error(Fault::failed, "data", path).what(), "[data] " + path);
  const std::string endless = Error(Fault::failed, "data", std::string(1 << 20, '\n')).what();
  EXPECT_LT(endless.size(), 9000u);
  EXPECT_TRUE(endless.ends_with("(1048583 bytes)")) << endless.substr(8000);
}

}  // namespace
}  // namespace adwp
