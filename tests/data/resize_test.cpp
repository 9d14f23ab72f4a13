// Resizing on images small enough to do by hand.
#include <gtest/gtest.h>

#include "data/readers.h"

namespace adwp::test {
namespace {

using Pixels = std::vector<std::uint8_t>;

TEST(Resize, ShrinkingTakesTheMeanOfWhatAPixelCovers) {
  // Two rows of six: each target pixel covers one row and three columns.
  const Pixels wide = {0, 3, 6, 100, 101, 104, 200, 200, 203, 9, 9, 9};
  EXPECT_EQ(data::resize(wide.data(), 2, 6, 1, 2), (Pixels{3, 102, 201, 9}));
  // Three columns on two: a whole one and half of the middle one, in shares of 1.5.
  const Pixels three = {30, 60, 90, 30, 60, 90, 30, 60, 90};
  EXPECT_EQ(data::resize(three.data(), 3, 3, 1, 2), (Pixels{40, 80, 40, 80}));
}

TEST(Resize, GrowingGoesFromCentreToCentre) {
  // Centres of four pixels on two lie at -0.25, 0.25, 0.75 and 1.25 of the source.
  const Pixels two = {0, 100, 0, 100};
  const Pixels row = {0, 25, 75, 100};
  Pixels expected;
  for (int i = 0; i < 4; ++i) expected.insert(expected.end(), row.begin(), row.end());
  EXPECT_EQ(data::resize(two.data(), 2, 2, 1, 4), expected);
}

TEST(Resize, ChannelsStayApartAndHalvesAreRoundedUp) {
  const Pixels pixels = {0, 10, 1, 20, 0, 10, 1, 21};  // two by two pixels of two channels
  EXPECT_EQ(data::resize(pixels.data(), 2, 2, 2, 1), (Pixels{1, 15}));
}

TEST(Resize, ATallImageIsReadByItsWidth) {
  const Pixels tall = {10, 20, 30, 40, 50, 60, 70, 80};  // four rows of two
  EXPECT_EQ(data::resize(tall.data(), 4, 2, 1, 2), (Pixels{20, 30, 60, 70}));
}

}  // namespace
}  // namespace adwp::test
