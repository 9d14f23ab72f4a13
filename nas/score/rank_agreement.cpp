#include "nas/score/rank_agreement.h"

#include <fmt/core.h>

#include <algorithm>

#include "framework/core/error.h"

namespace adwp::nas {
namespace {

template <typename Field>
std::vector<double> column(const std::vector<Measured>& networks, Field&& field) {
  std::vector<double> values;
  for (const Measured& network : networks) values.push_back(field(network));
  return values;
}

// Of a field that may be missing: empty unless all networks have it.
template <typename Field>
std::vector<double> optional_column(const std::vector<Measured>& networks, Field&& field) {
  std::vector<double> values;
  for (const Measured& network : networks) {
    const std::optional<double> value = field(network);
    if (!value) return {};
    values.push_back(*value);
  }
  return values;
}

nlohmann::json to_json(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", estimate->value}, {"low", estimate->low}, {"high", estimate->high}};
}

std::string text_of(const Estimate& e) {
  return fmt::format("{:.2f} [{:.2f}, {:.2f}]", e.value, e.low, e.high);
}

}  // namespace

RankAgreement rank_agreement(const std::vector<Measured>& networks, std::uint64_t seed, bool predicts) {
  const SearchScore score(networks, predicts);
  RankAgreement result{.sample = networks.size(), .kind = score.kind(), .scores = score.of_sample()};
  if (networks.empty()) return result;
  const auto trained = column(networks, [](const Measured& m) { return m.trained.accuracy; });
  const auto quality = column(networks, [](const Measured& m) { return -m.trained.loss; });
  const auto accuracy = optional_column(networks, [](const Measured& m) { return m.predicted_accuracy; });
  std::vector<double> loss = optional_column(networks, [](const Measured& m) { return m.predicted_loss(); });
  std::vector<double> one_epoch =
      optional_column(networks, [](const Measured& m) { return m.one_epoch_loss; });
  for (std::vector<double>* lower_is_better : {&loss, &one_epoch}) {
    for (double& value : *lower_is_better) value = -value;
  }
  result.mean_trained = mean(trained);
  if (predicts) result.mean_predicted = mean(accuracy);

  // Empty where the networks do not have what it takes.
  auto add = [&](const char* name, const std::vector<double>& ranked) {
    Agreement agreement{.ranking = name};
    if (ranked.size() == trained.size()) {
      agreement.kendall_tau = bootstrap(kendall_tau, ranked, trained, seed);
      agreement.spearman_rho = bootstrap(spearman_rho, ranked, trained, seed);
      agreement.precision_at_10 = precision_at(0.1, ranked, trained);
    }
    result.rankings.push_back(std::move(agreement));
  };
  auto gain = [&](const std::vector<double>& ranked, const std::vector<double>& other) {
    const bool both = ranked.size() == trained.size() && other.size() == trained.size();
    return both ? bootstrap_gain(kendall_tau, ranked, other, trained, seed) : std::nullopt;
  };
  std::vector<Evidence> all, structure_only;
  for (const Measured& m : networks) {
    all.push_back(m.evidence);
    structure_only.push_back({.structure = m.evidence.structure, .losses = {}});
  }
  const auto structure = leave_one_out(structure_only, quality);
  const auto both = predicts ? leave_one_out(all, quality) : std::vector<double>();
  const auto macs = column(networks, [](const Measured& m) { return m.macs; });
  add(by_score, result.scores);
  add(by_loss, loss);
  add(by_accuracy, accuracy);
  add(by_structure, structure);
  add(by_structure_and_prediction, both);
  add(by_params, column(networks, [](const Measured& m) { return m.params; }));
  add(by_macs, macs);
  add(by_one_epoch, one_epoch);
  result.prediction_gain = gain(both, structure);
  result.score_gain = gain(result.scores, macs);
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
  auto tau = [&](const char* ranking) {
    return nlohmann::json{{"kendall_tau", nas::to_json(of(ranking).kendall_tau)}};
  };
  if (sample == 0) return {{"sample", 0}};
  nlohmann::json of_score = tau(by_score), of_both = tau(by_structure_and_prediction);
  of_score["kind"] = name_of(kind);
  of_score["gain_over_macs"] = nas::to_json(score_gain);
  of_both["gain_over_structure"] = nas::to_json(prediction_gain);
  const Agreement& prediction = of(by_loss);
  return {
      {"sample", sample},
      {"mean_predicted_accuracy", optional(mean_predicted)},
      {"mean_trained_accuracy", optional(mean_trained)},
      {"verdict", verdict()},
      {"score", of_score},
      {"structure", tau(by_structure)},
      {"structure_and_prediction", of_both},
      {"kendall_tau", nas::to_json(prediction.kendall_tau)},
      {"spearman_rho", nas::to_json(prediction.spearman_rho)},
      {"precision_at_10", optional(prediction.precision_at_10)},
      {"predicted_accuracy", tau(by_accuracy)},
      {"baselines", {{"params", tau(by_params)}, {"macs", tau(by_macs)}, {"one_epoch", tau(by_one_epoch)}}}};
}

std::string RankAgreement::table() const {
  std::string text = fmt::format(
      "agreement with trained accuracy over {} networks (mean accuracy {}{:.3f} trained)\n"
      "{:<28} {:>22} {:>22} {:>8}\n",
      sample, mean_predicted ? fmt::format("{:.3f} predicted, ", *mean_predicted) : "", mean_trained.value(),
      "ranking by", "Kendall tau [95 %]", "Spearman rho [95 %]", "P@10 %");
  auto cell = [](const std::optional<Estimate>& e) { return e ? text_of(*e) : std::string("-"); };
  for (const Agreement& a : rankings) {
    text += fmt::format("{:<28} {:>22} {:>22} {:>8}\n", a.ranking, cell(a.kendall_tau), cell(a.spearman_rho),
                        a.precision_at_10 ? fmt::format("{:.2f}", *a.precision_at_10) : "-");
  }
  return text + verdict() + "\n";
}

std::string RankAgreement::verdict() const {
  const std::optional<Estimate>& tau = of(by_score).kendall_tau;
  const std::string what = fmt::format("The score ({})", name_of(kind));
  if (!tau) return fmt::format("{} was not judged: {} networks do not suffice.", what, sample);
  std::string text =
      fmt::format("{} {}: Kendall tau {} over {} networks", what,
                  tau->low > 0     ? "ranks networks as training does"
                  : tau->value > 0 ? "may rank networks, but the sample is too small to be sure"
                                   : "is not to be trusted",
                  text_of(*tau), sample);
  if (score_gain) text += fmt::format("; over size alone it gains {}", text_of(*score_gain));
  if (prediction_gain)
    text += fmt::format("; over structure the prediction gains {}", text_of(*prediction_gain));
  return text + ".";
}

}  // namespace adwp::nas
