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

TEST(Statistics, RidgeFindsALine) {
  Random random(2, Purpose::test);
  std::vector<Values> features;
  Values line;
  for (int i = 0; i < 40; ++i) {
    features.push_back({random.normal(), 5 + 100.0 * random.normal()});
    line.push_back(3 + 2 * features.back()[0] - 0.01 * features.back()[1]);
  }
  const Prior none[] = {{1e-9}, {1e-9}};
  EXPECT_NEAR(Ridge(features, line, none).predict(Values{1, 100}), 4, 1e-5);
  // A prior that is held firmly decides, whatever the data say.
  const Prior firm[] = {{1e12, 0}, {1e12, 7}};
  const Ridge believed(features, line, firm);
  EXPECT_NEAR(believed.coefficient(0), 0, 1e-6);
  EXPECT_NEAR(believed.coefficient(1), 7, 1e-6);
}

// Networks whose accuracy follows from structure and predicted loss, each with a weight, and noise.
struct Sample {
  std::vector<Evidence> networks;
  Values trained;

  Sample(int count, double of_structure, double of_loss, double noise) {
    Random random(3, Purpose::test);
    for (int i = 0; i < count; ++i) {
      const double log_params = random.normal(), log_macs = random.normal(), loss = random.normal();
      networks.push_back({{log_params, log_macs}, {loss}});
      trained.push_back(0.5 + 0.01 * (of_structure * log_macs - of_loss * loss + noise * random.normal()));
    }
  }
  std::vector<Measured> measured() const {
    std::vector<Measured> sample;
    for (std::size_t i = 0; i < networks.size(); ++i) {
      sample.push_back({1000, 1000 + std::int64_t(i), networks[i], 0.5, {trained[i], -trained[i]}, 0.3});
    }
    return sample;
  }
};

TEST(ScoreModel, FollowsStructureAndPrediction) {
  const Sample sample(40, 1, 1, 0.1);
  const ScoreModel model(sample.networks, sample.trained);
  EXPECT_GT(model.score({{0, 1}, {0}}), model.score({{0, -1}, {0}}) + 0.01);
  EXPECT_GT(model.score({{0, 0}, {-1}}), model.score({{0, 0}, {1}}) + 0.01);
  EXPECT_GT(*kendall_tau(leave_one_out(sample.networks, sample.trained), sample.trained), 0.8);
}

TEST(ScoreModel, WithFewNetworksItIsPredictionAndSize) {
  const Sample noise(ScoreModel::least_networks, 0, 0, 1);
  const ScoreModel model(noise.networks, noise.trained);
  const double deviation = standard_deviation(noise.trained);
  EXPECT_GT(model.score({{0, 0}, {-1}}) - model.score({{0, 0}, {1}}), 0.2 * deviation) << "what is believed";
  EXPECT_GT(model.score({{0, 1}, {0}}) - model.score({{0, -1}, {0}}), 0.1 * deviation) << "what is believed";
}

TEST(ScoreModel, NeverTakesAHigherLossForBetter) {
  const Sample sample(60, 1, -3, 0.1);  // accuracy grows with the loss
  const ScoreModel model(sample.networks, sample.trained);
  EXPECT_EQ(model.score({{0, 0}, {-1}}), model.score({{0, 0}, {1}})) << "such a prediction is left out";
  EXPECT_GT(model.score({{0, 1}, {0}}), model.score({{0, -1}, {0}}));
}

TEST(ScoreModel, LeaveOneOutDoesNotPeek) {
  const Sample noise(40, 0, 0, 1);
  EXPECT_LT(*kendall_tau(leave_one_out(noise.networks, noise.trained), noise.trained), 0.25)
      << "a fit that saw its own targets would rank them well";
  EXPECT_TRUE(leave_one_out(std::span(noise.networks).first(ScoreModel::least_networks),
                            std::span(noise.trained).first(ScoreModel::least_networks))
                  .empty());
}

TEST(SearchScore, IsChosenByWhatTheSampleShows) {
  const Evidence low{{0, 1}, {-1}}, high{{0, -1}, {1}};
  EXPECT_EQ(SearchScore({}).kind(), SearchScore::Kind::prediction);
  EXPECT_EQ(SearchScore({}).of(low), 1);
  EXPECT_EQ(SearchScore({}, false).kind(), SearchScore::Kind::size) << "nothing is predicted";
  EXPECT_EQ(SearchScore({}, false).of({{0, 2}, {}}), 2);
  const SearchScore few(Sample(ScoreModel::least_networks, 0, -3, 0).measured());
  EXPECT_EQ(few.kind(), SearchScore::Kind::prediction) << "too few to tell";
  const SearchScore fitted(Sample(40, 1, 1, 0.1).measured());
  EXPECT_EQ(fitted.kind(), SearchScore::Kind::model);
  EXPECT_GT(fitted.of(low), fitted.of(high));

  Sample structure(40, 1, 0, 0.1);
  for (Evidence& network : structure.networks) network.losses.clear();
  const SearchScore unpredicted(structure.measured(), false);
  EXPECT_EQ(unpredicted.kind(), SearchScore::Kind::structure);
  EXPECT_GT(unpredicted.of({{0, 1}, {}}), unpredicted.of({{0, -1}, {}}));

  // Nothing that can be learnt, and losses that rank the wrong way: what is left is size.
  Sample wrong(12, 0, 0, 0);
  for (std::size_t i = 0; i < 12; ++i) {
    wrong.networks[i] = {{0, 0}, {double(i)}};
    wrong.trained[i] = 0.01 * i;
  }
  const SearchScore size(wrong.measured());
  EXPECT_EQ(size.kind(), SearchScore::Kind::size);
  EXPECT_EQ(size.of(low), 1) << "the logarithm of the multiply-accumulates";
}

TEST(RankAgreement, TellsWhatThePredictionAdds) {
  const RankAgreement agreement = rank_agreement(Sample(40, 1, 1, 0.1).measured(), 1);
  EXPECT_GT(agreement.of(by_score).kendall_tau->value, 0.8);
  EXPECT_NEAR(agreement.prediction_gain->value,
              agreement.of(by_structure_and_prediction).kendall_tau->value -
                  agreement.of(by_structure).kendall_tau->value,
              1e-12);
  EXPECT_GT(agreement.prediction_gain->low, 0);
  const nlohmann::json json = agreement.to_json();
  EXPECT_EQ(json["sample"], 40);
  EXPECT_EQ(json["score"]["kind"], "structure and prediction");
  EXPECT_TRUE(json["baselines"]["one_epoch"]["kendall_tau"].is_null()) << "a constant ranks nothing";
  EXPECT_NE(agreement.verdict().find("ranks networks as training does"), std::string::npos);
  Sample structure(40, 1, 0, 0.1);
  for (Evidence& network : structure.networks) network.losses.clear();
  const RankAgreement unpredicted = rank_agreement(structure.measured(), 1, false);
  EXPECT_GT(unpredicted.of(by_score).kendall_tau->value, 0.8);
  EXPECT_FALSE(unpredicted.of(by_loss).kendall_tau || unpredicted.prediction_gain) << "nothing is predicted";
  EXPECT_EQ(unpredicted.to_json()["score"]["kind"], "structure");
  const RankAgreement two = rank_agreement(Sample(2, 1, 1, 0.1).measured(), 1);
  EXPECT_NE(two.verdict().find("was not judged"), std::string::npos) << two.verdict();
}

}  // namespace
}  // namespace adwp::nas
