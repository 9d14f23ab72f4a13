#include "apps/common/table.h"

#include <gtest/gtest.h>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

TEST(Table, AlignsColumns) {
  Table table({{"name", Table::Align::left}, {"MACs"}, {"note", Table::Align::left}});
  table.row({"a", "1,200", "x"});
  table.row({"longer", "7", ""});
  EXPECT_EQ(table.text(),
            "name     MACs  note\n"
            "------  -----  ----\n"
            "a       1,200  x\n"
            "longer      7\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table({{"τ"}, {"x"}});
  table.row({"±.10", "1"});
  EXPECT_EQ(table.text(),
            "   τ  x\n"
            "----  -\n"
            "±.10  1\n");
}

TEST(Table, WithoutRowsIsItsHead) { EXPECT_EQ(Table({{"a"}}).text(), "a\n-\n"); }

TEST(Table, RefusesRowsOfAnotherWidth) {
  Table table({{"a"}, {"b"}});
  EXPECT_THROW(table.row({"1"}), Error);
}

}  // namespace
}  // namespace adwp::apps
