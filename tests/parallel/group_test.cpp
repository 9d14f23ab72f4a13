// One process alone. What several do: tests/system/ranks.py.
#include "framework/parallel/group.h"

#include <gtest/gtest.h>

#include "framework/parallel/jobs.h"

namespace adwp::parallel {
namespace {

TEST(Group, AloneSumsInTheOrderOfNumbers) {
  Group group;
  EXPECT_TRUE(group.alone());
  // In another order, or in double, the sums of the first column would differ.
  const std::vector<std::vector<float>> parts{{1e8f, 1}, {-1e8f, 2}, {3.5f, 4}, {1e8f, 8}};
  const std::vector<float> sum = group.sum(parts);
  EXPECT_EQ(sum, (std::vector<float>{((1e8f - 1e8f) + 3.5f) + 1e8f, 15}));
  EXPECT_THROW(group.sum({}), Error);
  EXPECT_THROW(group.sum({{1}, {1, 2}}), Error);
}

TEST(Group, AloneGathersItself) {
  Group group;
  EXPECT_EQ(group.gather("bytes"), std::vector<std::string>{"bytes"});
  EXPECT_EQ(group.broadcast("bytes"), "bytes");
  EXPECT_FALSE(group.receive().has_value());
  EXPECT_THROW(group.send(1, "bytes"), Error);
}

TEST(Jobs, AloneAreDoneInTheirOrder) {
  Group group;
  Jobs jobs(group);
  std::vector<std::size_t> begun;
  std::vector<std::string> results;
  const Jobs::Batch batch{.costs = {1, 3, 2},
                          .work = [](std::size_t) { return std::string(); },
                          .here =
                              [&](std::size_t job) {
                                begun.push_back(job);
                                return std::to_string(job);
                              },
                          .done = [&](std::size_t, const std::string& result) { results.push_back(result); }};
  jobs.run(batch, [] {});
  EXPECT_EQ(begun, (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(results, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(jobs.spells().size(), 3u);
}

}  // namespace
}  // namespace adwp::parallel
