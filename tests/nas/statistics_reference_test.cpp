#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "framework/core/random.h"
#include "nas/score/rank_agreement.h"
#include "nas/score/statistics.h"

namespace adwp::nas {
namespace {

using Values = std::vector<double>;

TEST(StatisticsReference, DeviationIsThatOfASample) {
  EXPECT_NEAR(standard_deviation(Values{1, 2, 3, 4}), std::sqrt(5.0 / 3), 1e-12);
  EXPECT_EQ(standard_deviation(Values{7}), 0);
}

TEST(StatisticsReference, ThePenaltyShrinksTheSlope) {
  // Standardised, the feature is -1 / sqrt(2) and 1 / sqrt(2): sqrt(2) / (1 + penalty) is the coefficient.
  const std::vector<Values> features = {{-1}, {1}};
  EXPECT_NEAR(Ridge(features, Values{0, 2}, 0.0).predict(Values{1}), 2, 1e-12);
  EXPECT_NEAR(Ridge(features, Values{0, 2}, 1.0).predict(Values{1}), 1.5, 1e-12);
  EXPECT_NEAR(Ridge(features, Values{0, 2}, 3.0).predict(Values{-1}), 0.75, 1e-12);
}

TEST(StatisticsReference, APredictionIsMadeWithoutItsOwnTarget) {
  // Without features that say anything it is the mean of the others.
  const std::vector<Values> features = {{1}, {1}, {1}, {1}};
  const Values found = leave_one_out(features, Values{1, 2, 3, 10}, 1.0);
  const Values expected = {5, 14.0 / 3, 13.0 / 3, 2};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(found[i], expected[i], 1e-12);
}

TEST(StatisticsReference, AnIntervalHolds95PercentOfTheResamples) {
  Random random(1, Purpose::test);
  Values a, b;
  for (int i = 0; i < 30; ++i) {
    a.push_back(random.normal());
    b.push_back(a.back() + random.normal());
  }
  Values resampled;
  for (std::uint64_t number = 0; number < 2000; ++number) {
    Random draw(5, Purpose::bootstrap, number);
    Values x, y;
    for (int i = 0; i < 30; ++i) {
      const std::uint32_t pick = draw.below(30);
      x.push_back(a[pick]);
      y.push_back(b[pick]);
    }
    resampled.push_back(*kendall_tau(x, y));
  }
  const Estimate estimate = *bootstrap(kendall_tau, a, b, 5);
  const auto share = [&](auto&& is_counted) {
    return static_cast<double>(std::count_if(resampled.begin(), resampled.end(), is_counted)) / 2000;
  };
  for (const auto& [end, part] : {std::pair(estimate.low, 0.025), std::pair(estimate.high, 0.975)}) {
    EXPECT_LE(share([end = end](double r) { return r < end; }), part + 0.001);
    EXPECT_GE(share([end = end](double r) { return r <= end; }), part - 0.001);
  }
}

TEST(StatisticsReference, TheLowerLossIsTheBetterRank) {
  std::vector<Measured> networks;
  for (int i = 0; i < 6; ++i) {
    networks.push_back({.params = 100 - i,
                        .macs = 10 + i,
                        .predicted_loss = 1.0 - 0.1 * i,
                        .predicted_accuracy = 0.5 - 0.01 * i,
                        .trained_accuracy = 0.3 + 0.1 * i});
  }
  const RankAgreement agreement = rank_agreement(networks, 1);
  EXPECT_DOUBLE_EQ(agreement.of(by_loss).kendall_tau->value, 1);
  EXPECT_DOUBLE_EQ(agreement.of(by_accuracy).kendall_tau->value, -1);
  EXPECT_DOUBLE_EQ(agreement.of(by_params).kendall_tau->value, -1);
  EXPECT_DOUBLE_EQ(agreement.of(by_macs).kendall_tau->value, 1);
}

}  // namespace
}  // namespace adwp::nas
