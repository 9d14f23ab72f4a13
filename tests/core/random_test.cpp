#include "framework/core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace adwp {
namespace {

// Known answers of the authors' library (Random123, kat_vectors).
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(Philox::generate({0, 0, 0, 0}, {0, 0}),
            (Philox::Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox::generate({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Philox::Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox::generate({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Philox::Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, DependsOnSeedPurposeAndStep) {
  const std::uint32_t base = Random(1, Purpose::test, 2).bits();
  EXPECT_EQ(Random(1, Purpose::test, 2).bits(), base);
  EXPECT_NE(Random(2, Purpose::test, 2).bits(), base);
  EXPECT_NE(Random(1, Purpose::shuffle, 2).bits(), base);
  EXPECT_NE(Random(1, Purpose::test, 3).bits(), base);
  EXPECT_NE(Random(1ull << 32, Purpose::test, 2).bits(), Random(0, Purpose::test, 2).bits());
  EXPECT_NE(Random(1, Purpose::test, 1ull << 32).bits(), Random(1, Purpose::test, 0).bits());
}

TEST(Random, BelowIsUniform) {
  Random random(3, Purpose::test);
  std::vector<int> counts(7);
  constexpr int draws = 70000;
  for (int i = 0; i < draws; ++i) ++counts[random.below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10000, 5 * std::sqrt(10000.0));
  EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, UniformAndNormalHaveTheirMoments) {
  Random random(4, Purpose::test);
  double u = 0, n = 0, n2 = 0;
  constexpr int draws = 40000;
  for (int i = 0; i < draws; ++i) {
    const double x = random.uniform(), y = random.normal();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    u += x;
    n += y;
    n2 += y * y;
  }
  EXPECT_NEAR(u / draws, 0.5, 0.01);
  EXPECT_NEAR(n / draws, 0, 0.03);
  EXPECT_NEAR(n2 / draws, 1, 0.04);
}

TEST(Random, APermutationHoldsEveryNumberOnce) {
  std::vector<std::int32_t> order = permutation(Random(5, Purpose::shuffle, 1), 100);
  EXPECT_EQ(order, permutation(Random(5, Purpose::shuffle, 1), 100));
  EXPECT_NE(order, permutation(Random(5, Purpose::shuffle, 2), 100));
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::int32_t i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(permutation(Random(5, Purpose::shuffle), 0).empty());
}

}  // namespace
}  // namespace adwp
