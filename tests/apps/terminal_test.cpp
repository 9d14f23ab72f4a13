#include "apps/common/terminal.h"

#include <gtest/gtest.h>

#include <memory>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

// What `use` makes a Progress write to a stream that is no terminal.
template <typename Use>
std::string written(bool quiet, Use use) {
  char* text = nullptr;
  std::size_t size = 0;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  {
    Progress progress(quiet, file.get());
    use(progress);
  }
  std::rewind(file.get());
  std::string all;
  while (getline(&text, &size, file.get()) >= 0) all += text;
  std::free(text);
  return all;
}

TEST(Progress, WritesOneLinePerMilestoneOnAPipe) {
  const std::string text = written(false, [](Progress& progress) {
    progress.begin("search", 4, "candidates");
    progress.update(1, "not shown");
    progress.milestone(2, "generation 1/2");
    progress.milestone(4, "generation 2/2");
    progress.end();
    progress.say("done");
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
  EXPECT_EQ(text.find("not shown"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("search        50 %  generation 1/2"), std::string::npos) << text;
  EXPECT_NE(text.find("search       100 %  generation 2/2"), std::string::npos) << text;
}

TEST(Progress, QuietWritesNothing) {
  const std::string text = written(true, [](Progress& progress) {
    progress.begin("search", 2, "candidates");
    progress.update(1);
    progress.milestone(2);
    progress.say("done");
  });
  EXPECT_EQ(text, "");
}

TEST(Progress, DurationsReadWell) {
  EXPECT_EQ(duration_text(0.04), "0.0 s");
  EXPECT_EQ(duration_text(8.44), "8.4 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(59.6), "1 min 00 s");
  EXPECT_EQ(duration_text(7500), "2 h 05 min");
}

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
