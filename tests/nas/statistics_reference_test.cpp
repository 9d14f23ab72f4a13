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
  const auto ridge = [&](Prior prior) { return Ridge(features, Values{0, 2}, std::span(&prior, 1)); };
  EXPECT_NEAR(ridge({0}).predict(Values{1}), 2, 1e-12);
  EXPECT_NEAR(ridge({1}).predict(Values{1}), 1.5, 1e-12);
  EXPECT_NEAR(ridge({3}).predict(Values{-1}), 0.75, 1e-12);
  // Shrunk towards another slope: (sqrt(2) + 1 * 3 sqrt(2)) / 2 of the standardised feature.
  EXPECT_NEAR(ridge({1, 3 * std::sqrt(2.0)}).predict(Values{1}), 3, 1e-12);
}

TEST(StatisticsReference, TheErrorInClosedFormIsThatOfFitsWithoutTheObservation) {
  // Without features that say anything, an observation is predicted by the mean of the others.
  const std::vector<Values> constant = {{1}, {1}, {1}, {1}};
  const Values targets = {1, 2, 3, 10};
  const Prior one[] = {{1}};
  double sum = 0;
  for (double target : targets) sum += std::pow((16 - target) / 3 - target, 2);
  EXPECT_NEAR(Ridge(constant, targets, one).leave_one_out_error(), sum / 4, 1e-12);

  // With features: fits of 400 observations, whose means and deviations hardly change by one.
  Random random(8, Purpose::test);
  std::vector<Values> features;
  Values noisy;
  for (int i = 0; i < 400; ++i) {
    features.push_back({random.normal(), random.normal()});
    noisy.push_back(features.back()[0] + 0.5 * random.normal());
  }
  const Prior priors[] = {{5, 0.3}, {2}};
  double errors = 0;
  for (std::size_t left = 0; left < features.size(); ++left) {
    auto rest = features;
    auto rest_targets = noisy;
    rest.erase(rest.begin() + left);
    rest_targets.erase(rest_targets.begin() + left);
    errors += std::pow(Ridge(rest, rest_targets, priors).predict(features[left]) - noisy[left], 2);
  }
  const double expected = errors / 400;
  EXPECT_NEAR(Ridge(features, noisy, priors).leave_one_out_error(), expected, 1e-3 * expected);
}

TEST(StatisticsReference, AGainIsMeasuredOnTheSameResamples) {
  Random random(1, Purpose::test);
  Values truth, good, same;
  for (int i = 0; i < 30; ++i) {
    truth.push_back(random.normal());
    good.push_back(truth.back() + 0.5 * random.normal());
  }
  same = good;
  const Estimate none = *bootstrap_gain(kendall_tau, good, same, truth, 5);
  EXPECT_EQ(none.low, 0);
  EXPECT_EQ(none.high, 0);
  for (double& value : same) value = -value;
  const Estimate twice = *bootstrap_gain(kendall_tau, good, same, truth, 5);
  const Estimate tau = *bootstrap(kendall_tau, good, truth, 5);
  EXPECT_NEAR(twice.value, 2 * tau.value, 1e-12);
  EXPECT_NEAR(twice.low, 2 * tau.low, 1e-12);
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
                        .evidence = {{0.0, double(10 + i)}, {1.0 - 0.1 * i}},
                        .predicted_accuracy = 0.5 - 0.01 * i,
                        .trained = {0.3 + 0.1 * i, 1 - 0.1 * i}});
  }
  const RankAgreement agreement = rank_agreement(networks, 1);
  EXPECT_DOUBLE_EQ(agreement.of(by_loss).kendall_tau->value, 1);
  EXPECT_DOUBLE_EQ(agreement.of(by_accuracy).kendall_tau->value, -1);
  EXPECT_DOUBLE_EQ(agreement.of(by_params).kendall_tau->value, -1);
  EXPECT_DOUBLE_EQ(agreement.of(by_macs).kendall_tau->value, 1);
}

}  // namespace
}  // namespace adwp::nas
