#include "framework/io/json.h"

#include <gtest/gtest.h>

namespace adwp::io {
namespace {

std::string refusal(const char* text) {
  try {
    parse_json(text);
  } catch (const BadJson& bad) {
    return bad.what();
  }
  return "";
}

TEST(Json, IsReadWithItsKeysOnce) {
  EXPECT_EQ(parse_json(R"({"a": [{"b": 1}, {"b": 2}], "b": 3})")["a"][1]["b"], 2);
  EXPECT_EQ(refusal(R"({"a": [{"b": 1}, {"b": 2, "c": 0, "b": 3}]})"), "a[1].b stands twice");
  EXPECT_EQ(refusal(R"([[1, 2], {"x": {"y": 1, "y": 2}}])"), "[1].x.y stands twice");
  EXPECT_EQ(refusal(R"({"": 1, "": 2})"), " stands twice");
}

TEST(Json, SaysWhereItIsWrong) {
  EXPECT_EQ(refusal("{\"a\": 1,\n \"b\" 2}").rfind("not JSON: line 2, column 6: syntax error", 0), 0u)
      << refusal("{\"a\": 1,\n \"b\" 2}");
  EXPECT_EQ(refusal("x").rfind("not JSON: line 1, column 1", 0), 0u);
  EXPECT_EQ(refusal("{\"a\": 1e4000}"), "not JSON: number overflow parsing '1e4000'");
  EXPECT_NE(refusal("[1, 2"), "");
  EXPECT_NE(refusal("\"\xff\""), "");
}

TEST(Json, SaysWhatTheFileIsInstead) {
  EXPECT_EQ(refusal(""), "not JSON: it is empty (0 bytes); copy or download it again");
  EXPECT_EQ(refusal("\xEF\xBB\xBF <!doctype HTML>\n<html>"),
            "not JSON: it is a web page (HTML); download it again");
  EXPECT_EQ(refusal("version https://git-lfs.github.com/spec/v1\noid"),
            "not JSON: it is a pointer of Git LFS, not the file; run `git lfs pull`");
  EXPECT_EQ(refusal("\x1F\x8B\x08"), "not JSON: it is compressed by gzip; gunzip it");
  EXPECT_EQ(refusal("\x89PNG\r\n"), "not JSON: it is a PNG picture");
}

}  // namespace
}  // namespace adwp::io
