#include "nas/score/rank_agreement.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "framework/core/error.h"

namespace adwp::nas {
namespace {

constexpr double ridge_penalty = 1.0;

std::vector<double> size_features(std::int64_t macs, std::int64_t params) {
  return {std::log(macs), std::log(params)};
}

std::vector<double> all_features(double predicted_loss, std::int64_t macs, std::int64_t params) {
  std::vector<double> features = size_features(macs, params);
  features.push_back(predicted_loss);
  return features;
}

template <typename Field>
std::vector<double> column(const std::vector<Measured>& networks, Field&& field) {
  std::vector<double> values;
  for (const Measured& network : networks) values.push_back(field(network));
  return values;
}

nlohmann::json to_json(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", estimate->value}, {"low", estimate->low}, {"high", estimate->high}};
}

}  // namespace

RankAgreement rank_agreement(const std::vector<Measured>& networks, std::uint64_t seed) {
  RankAgreement result;
  result.sample = networks.size();
  const auto trained = column(networks, [](const Measured& m) { return m.trained_accuracy; });
  result.mean_trained = mean(trained);
  result.mean_predicted = mean(column(networks, [](const Measured& m) { return m.predicted_accuracy; }));

  auto add = [&](const char* name, const std::vector<double>& score) {
    Agreement agreement{.ranking = name};
    if (score.size() == trained.size()) {
      agreement.kendall_tau = bootstrap(kendall_tau, score, trained, seed);
      agreement.spearman_rho = bootstrap(spearman_rho, score, trained, seed);
      agreement.precision_at_10 = precision_at(0.1, score, trained);
    }
    result.rankings.push_back(std::move(agreement));
  };
  add(by_loss, column(networks, [](const Measured& m) { return -m.predicted_loss; }));
  add(by_accuracy, column(networks, [](const Measured& m) { return m.predicted_accuracy; }));
  add(by_params, column(networks, [](const Measured& m) { return m.params; }));
  add(by_macs, column(networks, [](const Measured& m) { return m.macs; }));
  const bool one_epoch = std::all_of(networks.begin(), networks.end(),
                                     [](const Measured& m) { return m.one_epoch_accuracy.has_value(); });
  add(by_one_epoch, one_epoch ? column(networks, [](const Measured& m) { return *m.one_epoch_accuracy; })
                              : std::vector<double>());

  std::vector<std::vector<double>> sizes, all;
  for (const Measured& m : networks) {
    sizes.push_back(size_features(m.macs, m.params));
    all.push_back(all_features(m.predicted_loss, m.macs, m.params));
  }
  const bool enough = networks.size() >= Calibration::least_sample;
  add(by_size_fit, enough ? leave_one_out(sizes, trained, ridge_penalty) : std::vector<double>());
  add(by_calibrated_fit, enough ? leave_one_out(all, trained, ridge_penalty) : std::vector<double>());
  return result;
}

const Agreement& RankAgreement::of(const std::string& ranking) const {
  for (const Agreement& agreement : rankings) {
    if (agreement.ranking == ranking) return agreement;
  }
  fail("rank agreement", "no ranking '{}'", ranking);
}

nlohmann::json RankAgreement::to_json() const {
  auto optional = [](const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
  };
  auto baseline = [&](const char* ranking) {
    return nlohmann::json{{"kendall_tau", nas::to_json(of(ranking).kendall_tau)}};
  };
  if (sample == 0) return {{"sample", 0}};
  const Agreement& main = of(by_loss);
  return {{"sample", sample},
          {"mean_predicted_accuracy", mean_predicted},
          {"mean_trained_accuracy", mean_trained},
          {"kendall_tau", nas::to_json(main.kendall_tau)},
          {"spearman_rho", nas::to_json(main.spearman_rho)},
          {"precision_at_10", optional(main.precision_at_10)},
          {"predicted_accuracy", baseline(by_accuracy)},
          {"fit", {{"size", baseline(by_size_fit)}, {"size_and_prediction", baseline(by_calibrated_fit)}}},
          {"baselines",
           {{"params", baseline(by_params)},
            {"macs", baseline(by_macs)},
            {"one_epoch", baseline(by_one_epoch)}}}};
}

std::string RankAgreement::table() const {
  std::string text = fmt::format(
      "agreement with trained accuracy over {} networks (mean accuracy {:.3f} predicted, {:.3f} "
      "trained)\n{:<28} {:>22} {:>22} {:>8}\n",
      sample, mean_predicted, mean_trained, "ranking by", "Kendall tau [95 %]", "Spearman rho [95 %]",
      "P@10 %");
  auto cell = [](const std::optional<Estimate>& e) {
    return e ? fmt::format("{:.2f} [{:.2f}, {:.2f}]", e->value, e->low, e->high) : std::string("-");
  };
  for (const Agreement& a : rankings) {
    text += fmt::format("{:<28} {:>22} {:>22} {:>8}\n", a.ranking, cell(a.kendall_tau), cell(a.spearman_rho),
                        a.precision_at_10 ? fmt::format("{:.2f}", *a.precision_at_10) : "-");
  }
  return text;
}

Calibration::Calibration(const std::vector<Measured>& networks) {
  if (networks.size() < least_sample) return;
  std::vector<std::vector<double>> features;
  for (const Measured& m : networks) {
    features.push_back(all_features(m.predicted_loss, m.macs, m.params));
  }
  ridge_.emplace(features, column(networks, [](const Measured& m) { return m.trained_accuracy; }),
                 ridge_penalty);
}

double Calibration::score(double predicted_loss, std::int64_t macs, std::int64_t params) const {
  if (!ridge_) return -predicted_loss;
  return ridge_->predict(all_features(predicted_loss, macs, params));
}

}  // namespace adwp::nas
