// Draws whose bias a test of small numbers does not see.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "framework/core/random.h"

namespace adwp {
namespace {

TEST(RandomReference, BelowHasNoBiasWhereTheRangeDoesNotDivide) {
  // Of 3 * 2^30: without rejection, numbers divisible by 3 would come twice as often as the others.
  Random random(1, Purpose::test);
  int counts[3] = {};
  for (int i = 0; i < 30000; ++i) ++counts[random.below(3u << 30) % 3];
  for (int count : counts) EXPECT_NEAR(count, 10000, 5 * std::sqrt(10000.0));
}

TEST(RandomReference, AShuffleGivesEveryOrderAlike) {
  std::map<std::vector<int>, int> counts;
  Random random(2, Purpose::test);
  for (int i = 0; i < 24000; ++i) {
    std::vector<int> values = {0, 1, 2, 3};
    random.shuffle(values);
    ++counts[values];
  }
  ASSERT_EQ(counts.size(), 24u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 5 * std::sqrt(1000.0));
}

}  // namespace
}  // namespace adwp
