// What chance does to batches: its distributions, and the operators against the draws, number by number.
#include "framework/backend/draws.h"

#include <algorithm>
#include <cmath>

#include "framework/core/error.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

constexpr AugmentKey key{11, 3};
constexpr int many = 20'000;

// A mean of `count` numbers of this deviation lies within five standard errors in all but 1 case of 10^6.
double five_errors(double deviation, int count) { return 5 * deviation / std::sqrt(count); }

TEST(Draws, SharesHaveTheMomentsOfBeta) {
  for (const double a : {0.2, 1.0, 2.0}) {
    double sum = 0, squares = 0, tails = 0;
    for (int n = 0; n < many; ++n) {
      const double share = draw_share(static_cast<float>(a), static_cast<std::uint32_t>(n), key);
      ASSERT_TRUE(share >= 0 && share <= 1);
      sum += share;
      squares += (share - 0.5) * (share - 0.5);
      tails += share < 0.1 ? 1 : 0;
    }
    const double variance = 1 / (4 * (2 * a + 1));
    EXPECT_NEAR(sum / many, 0.5, five_errors(std::sqrt(variance), many)) << a;
    EXPECT_NEAR(squares / many, variance, five_errors(0.125, many)) << a;  // (x - 1/2)^2 spans 1/4
    if (a == 1.0) {
      EXPECT_NEAR(tails / many, 0.1, five_errors(0.3, many));
    }
    if (a == 2.0) {
      EXPECT_NEAR(tails / many, 0.028, five_errors(0.165, many));  // 3 x^2 - 2 x^3
    }
  }
}

TEST(Draws, BothMixingsAndNoneComeAsOftenAsTheyShould) {
  int mixed = 0, cut = 0;
  for (int n = 0; n < many; ++n) {
    const Mixture m = draw_mixture(static_cast<std::uint32_t>(n), key, {0.5f, 1.0f, 0.8f}, 32, 32);
    cut += m.cut ? 1 : 0;
    mixed += !m.cut && m.share < 1 ? 1 : 0;
  }
  EXPECT_NEAR(1.0 * cut / many, 0.4, five_errors(0.49, many));
  EXPECT_NEAR(1.0 * mixed / many, 0.4, five_errors(0.49, many));
}

TEST(Draws, ACutImageHasTheShareThatItsBoxLeaves) {
  double rows = 0, columns = 0, left = 0, share = 0;
  for (int n = 0; n < many; ++n) {
    const Mixture m = draw_mixture(static_cast<std::uint32_t>(n), key, {0, 1, 1}, 240, 400);
    const Box& b = m.box;
    ASSERT_TRUE(m.cut && b.top >= 0 && b.left >= 0 && b.bottom <= 240 && b.right <= 400);
    const double area = 1.0 * (b.bottom - b.top) * (b.right - b.left);
    ASSERT_NEAR(m.share, 1 - area / (240 * 400), 1e-6);
    rows += static_cast<double>(b.top + b.bottom) / 2;
    columns += static_cast<double>(b.left + b.right) / 2;
    left += b.left == 0 ? 1 : 0;
    share += m.share;
  }
  EXPECT_NEAR(rows / many, 120, five_errors(70, many));  // centres are uniform
  EXPECT_NEAR(columns / many, 200, five_errors(116, many));
  EXPECT_GT(left / many, 0.1);  // boxes meet the edges
  // Of a side r, a part 1 - r / 4 of each side is left on average: E r^2 (1 - r/4)^2 with r^2 uniform.
  EXPECT_NEAR(share / many, 1 - (0.5 - 0.2 + 1.0 / 48),
              0.002 + five_errors(0.29, many));  // sides are cut to whole pixels
}

TEST(Draws, ErasedBoxesHaveTheirAreasAndSides) {
  int erased = 0;
  double area = 0, ratio = 0;
  for (int n = 0; n < many; ++n) {
    const Box b = draw_erased(static_cast<std::uint32_t>(n), key, 0.25f, 64, 64);
    if (b.bottom == b.top) continue;
    ASSERT_TRUE(b.top >= 0 && b.left >= 0 && b.bottom <= 64 && b.right <= 64);
    ++erased;
    const double height = static_cast<double>(b.bottom - b.top),
                 width = static_cast<double>(b.right - b.left);
    EXPECT_GE(height * width / 4096, 0.02 * 0.85);
    EXPECT_LE(height * width / 4096, 0.33 * 1.05);
    area += height * width / 4096;
    ratio += std::log(height / width);
  }
  EXPECT_NEAR(1.0 * erased / many, 0.25, five_errors(0.43, many));
  EXPECT_NEAR(area / erased, 0.175, 0.01);  // but for large and narrow boxes, which do not fit
  EXPECT_NEAR(ratio / erased, 0, five_errors(0.7, erased));
}

TEST(Draws, MasksKeepWhatTheyShouldAndAreOneOnAverage) {
  double kept = 0, sum = 0;
  for (int n = 0; n < many; ++n) {
    const float mask = draw_kept(static_cast<std::uint32_t>(n), {5, 7, 2}, 0.8f);
    ASSERT_TRUE(mask == 0 || mask == 1 / 0.8f);
    kept += mask > 0 ? 1 : 0;
    sum += mask;
  }
  EXPECT_NEAR(kept / many, 0.8, five_errors(0.4, many));
  EXPECT_NEAR(sum / many, 1, five_errors(0.5, many));
}

TEST(Draws, DifferByImageEpochAndSeedAndRepeat) {
  const auto share = [](std::uint32_t image, const AugmentKey& of) { return draw_share(1, image, of); };
  EXPECT_EQ(share(4, {1, 2}), share(4, {1, 2}));
  EXPECT_NE(share(4, {1, 2}), share(5, {1, 2}));
  EXPECT_NE(share(4, {1, 2}), share(4, {1, 3}));
  EXPECT_NE(share(4, {1, 2}), share(4, {2, 2}));
  EXPECT_NE(draw_kept(9, {1, 2, 3}, 1e-6f) + draw_kept(1, {1, 2, 3}, 1), 0);  // 1 is kept for sure
}

class DrawnOperators : public DeviceTest {
 protected:
  Tensor whole(const std::vector<std::int32_t>& values) {
    return Tensor::from_host(arena(), Shape{std::ssize(values)}, std::span<const std::int32_t>(values));
  }
  const std::vector<std::int32_t> index_{40, 7, 3, 99, 12}, labels_{5, 0, 2, 9, 1};
};

TEST_P(DrawnOperators, MixedImagesAreTheFormulas) {
  const Shape shape{5, 9, 7, 3};
  const oracle::Array x = random_array(shape, 1);
  for (const Mixing& mixing : {Mixing{1, 0, 1}, Mixing{0, 1, 1}, Mixing{0.5f, 0.5f, 0.7f}}) {
    const Tensor y(arena(), shape), others(arena(), Shape{5}, DType::i32), share(arena(), Shape{5});
    for (int time = 0; time < 2; ++time) {
      backend().compute(MixImages{upload(x), whole(labels_), whole(index_), mixing, key, y, others, share});
      const auto found = y.to_host<float>(), shares = share.to_host<float>();
      const auto partners = others.to_host<std::int32_t>();
      for (std::int64_t b = 0; b < 5; ++b) {
        const std::int64_t o = 4 - b;
        const auto row = static_cast<std::size_t>(b);
        const Mixture m = draw_mixture(static_cast<std::uint32_t>(index_[row]), key, mixing, 9, 7);
        EXPECT_EQ(partners[row], labels_[static_cast<std::size_t>(o)]);
        EXPECT_NEAR(shares[row], m.share, 1e-6);
        for (std::int64_t i = 0; i < 9 * 7 * 3; ++i) {
          const double own = x.at(b * 189 + i), partner = x.at(o * 189 + i);
          const bool inside = m.box.holds(i / 21, i / 3 % 7);
          const double expected = m.cut ? (inside ? partner : own) : m.share * own + (1 - m.share) * partner;
          ASSERT_NEAR(found[static_cast<std::size_t>(b * 189 + i)], expected, 2e-6);
        }
      }
    }
  }
}

TEST_P(DrawnOperators, ErasedImagesAreZeroInTheirBoxesAlone) {
  const Shape shape{5, 9, 7, 3};
  const oracle::Array before = random_array(shape, 2, 1, 2);
  const Tensor x = upload(before);
  backend().compute(EraseBoxes{whole(index_), 0.9f, key, x});
  const auto found = x.to_host<float>();
  int erased = 0;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const auto image = static_cast<std::uint32_t>(index_[static_cast<std::size_t>(i / 189)]);
    const bool inside = draw_erased(image, key, 0.9f, 9, 7).holds(i % 189 / 21, i / 3 % 7);
    erased += inside ? 1 : 0;
    EXPECT_EQ(found[static_cast<std::size_t>(i)], inside ? 0.0f : static_cast<float>(before.at(i)));
  }
  EXPECT_GT(erased, 0);
}

TEST_P(DrawnOperators, MasksAreDrawnByRowOrByElement) {
  const DropKey drop{3, 1, 2};
  for (const bool by_row : {true, false}) {
    const Tensor mask(arena(), Shape{6, 1, 1, 5});
    backend().compute(DrawMask{0.6f, by_row, drop, mask});
    const auto found = mask.to_host<float>();
    for (std::uint32_t e = 0; e < 30; ++e) {
      EXPECT_EQ(found[e], draw_kept(by_row ? e / 5 : e, drop, 0.6f)) << by_row << " " << e;
    }
  }
}

TEST_P(DrawnOperators, WhatDoesNotFitIsRefused) {
  const Tensor x(arena(), Shape{5, 4, 4, 3}), y(arena(), Shape{5, 4, 4, 3}), rows(arena(), Shape{5});
  const Tensor four = whole({1, 2, 3, 4}), others = whole(labels_);
  EXPECT_THROW(backend().compute(MixImages{x, four, whole(index_), {1, 0, 1}, key, y, others, rows}), Error);
  EXPECT_THROW(
      backend().compute(MixImages{x, whole(labels_), whole(index_), {3, 0, 1}, key, y, others, rows}), Error);
  EXPECT_THROW(backend().compute(EraseBoxes{four, 1, key, x}), Error);
  EXPECT_THROW(backend().compute(DrawMask{0, true, {}, Tensor(arena(), Shape{2, 1, 1, 3})}), Error);
  EXPECT_THROW(backend().compute(DrawMask{1, true, {}, Tensor(arena(), Shape{2, 3})}), Error);
}

ADWP_ON_EVERY_DEVICE(DrawnOperators);

}  // namespace
}  // namespace adwp::test
