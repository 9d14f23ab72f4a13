#include "nas/score/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "framework/core/random.h"
#include "nas/score/rank_agreement.h"

namespace adwp::nas {
namespace {

using Values = std::vector<double>;

TEST(Statistics, KendallTauOnKnownCases) {
  EXPECT_DOUBLE_EQ(*kendall_tau(Values{1, 2, 3, 4}, Values{1, 2, 3, 4}), 1);
  EXPECT_DOUBLE_EQ(*kendall_tau(Values{1, 2, 3, 4}, Values{4, 3, 2, 1}), -1);
  // One discordant pair of six.
  EXPECT_DOUBLE_EQ(*kendall_tau(Values{1, 2, 3, 4}, Values{1, 2, 4, 3}), 4.0 / 6);
  // scipy.stats.kendalltau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) = -0.4714...
  EXPECT_NEAR(*kendall_tau(Values{12, 2, 1, 12, 2}, Values{1, 4, 7, 1, 0}), -0.47140452, 1e-8);
  EXPECT_FALSE(kendall_tau(Values{1, 2}, Values{1, 2}));
  EXPECT_FALSE(kendall_tau(Values{1, 1, 1}, Values{1, 2, 3}));
}

TEST(Statistics, SpearmanRhoOnKnownCases) {
  EXPECT_DOUBLE_EQ(*spearman_rho(Values{1, 2, 3}, Values{10, 100, 1000}), 1);
  // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) = 0.8207826816681233
  EXPECT_NEAR(*spearman_rho(Values{1, 2, 3, 4, 5}, Values{5, 6, 7, 8, 7}), 0.82078268, 1e-8);
  EXPECT_FALSE(spearman_rho(Values{1, 2, 3}, Values{2, 2, 2}));
}

TEST(Statistics, PrecisionAtCountsTheSharedBest) {
  const Values truth = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_DOUBLE_EQ(*precision_at(0.1, truth, truth), 1);
  Values score = truth;
  std::swap(score[9], score[0]);
  EXPECT_DOUBLE_EQ(*precision_at(0.1, score, truth), 0);
  EXPECT_DOUBLE_EQ(*precision_at(0.2, score, truth), 0.5);
  EXPECT_FALSE(precision_at(0.1, {}, {}));
}

TEST(Statistics, BootstrapCoversAndRepeats) {
  Random random(1, Purpose::test);
  Values a, b, noise;
  for (int i = 0; i < 60; ++i) {
    a.push_back(random.normal());
    b.push_back(a.back() + 0.7 * random.normal());
    noise.push_back(random.normal());
  }
  const Estimate e = *bootstrap(kendall_tau, a, b, 5);
  EXPECT_LT(e.low, e.value);
  EXPECT_GT(e.high, e.value);
  EXPECT_GT(e.low, 0.2);
  const Estimate again = *bootstrap(kendall_tau, a, b, 5);
  EXPECT_EQ(e.low, again.low);
  const Estimate none = *bootstrap(kendall_tau, a, noise, 5);
  EXPECT_LT(none.low, 0.1);
  EXPECT_GT(none.high, -0.1);
}

TEST(Statistics, RidgeFindsALineAndLeaveOneOutDoesNotPeek) {
  Random random(2, Purpose::test);
  std::vector<Values> features;
  Values line, noise;
  for (int i = 0; i < 40; ++i) {
    features.push_back({random.normal(), 5 + 100.0 * random.normal()});
    line.push_back(3 + 2 * features.back()[0] - 0.01 * features.back()[1]);
    noise.push_back(random.normal());
  }
  const Ridge ridge(features, line, 1e-9);
  EXPECT_NEAR(ridge.predict(Values{1, 100}), 4, 1e-5);
  EXPECT_GT(*kendall_tau(leave_one_out(features, line, 1e-3), line), 0.95);
  // What cannot be learnt is not: a fit that saw its own targets would rank them well.
  EXPECT_LT(*kendall_tau(leave_one_out(features, noise, 1e-3), noise), 0.25);
}

TEST(Calibration, NeedsASampleAndThenFollowsAccuracy) {
  std::vector<Measured> networks;
  EXPECT_FALSE(Calibration(networks).fitted());
  EXPECT_EQ(Calibration(networks).score(1.5, 100, 100), -1.5);
  Random random(3, Purpose::test);
  for (int i = 0; i < 20; ++i) {
    const double loss = 1 + random.uniform();
    const std::int64_t macs = 1000 + random.below(100000);
    networks.push_back(
        {1000 + random.below(1000), macs, loss, 0.5, 0.9 - 0.2 * loss + 0.02 * std::log(double(macs)), 0.3});
  }
  const Calibration calibration(networks);
  ASSERT_TRUE(calibration.fitted());
  EXPECT_GT(calibration.score(1.2, 50000, 1500), calibration.score(1.8, 50000, 1500));
  EXPECT_GT(calibration.score(1.5, 90000, 1500), calibration.score(1.5, 2000, 1500));
  const RankAgreement agreement = rank_agreement(networks, 1);
  EXPECT_GT(agreement.of(by_calibrated_fit).kendall_tau->value, 0.8);
  EXPECT_EQ(agreement.to_json()["sample"], 20);
  EXPECT_TRUE(agreement.to_json()["baselines"]["one_epoch"]["kendall_tau"].is_null())
      << "a constant ranks nothing";
}

}  // namespace
}  // namespace adwp::nas
