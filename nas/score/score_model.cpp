#include "nas/score/score_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "framework/core/error.h"
#include "nas/score/structure.h"

namespace adwp::nas {
namespace {

// What is believed before any network is trained: how predicted losses (all together) and size correlate with
// accuracy, each held as strongly as so many networks hold theirs.
constexpr double believed_of_predictions = 0.6;
constexpr double believed_of_size = 0.4;
constexpr double strength = 5;
// Penalties of the rest of the structure to choose from, by leave-one-out error.
constexpr double penalties[] = {3, 10, 30, 100, 300, 1000, 10000};

// Structure, then predicted losses with their sign turned: more is better.
std::vector<double> features_of(const Evidence& network) {
  std::vector<double> features = network.structure;
  for (double loss : network.losses) features.push_back(-loss);
  return features;
}

std::vector<double> pick(const std::vector<double>& all, const std::vector<std::size_t>& used) {
  std::vector<double> picked;
  for (std::size_t i : used) picked.push_back(all[i]);
  return picked;
}

// A regression on some of the features.
struct Fit {
  std::vector<std::size_t> used;
  Ridge ridge;
};

// The fit with one penalty of the structure, without the predictions of which it would turn the sign.
Fit fit(std::span<const Evidence> networks, std::span<const double> trained, double penalty) {
  const std::size_t structure = networks[0].structure.size(), losses = networks[0].losses.size();
  const double deviation = standard_deviation(trained);
  auto prior = [&](std::size_t feature) -> Prior {
    if (feature >= structure) return {strength, believed_of_predictions * deviation / std::sqrt(losses)};
    if (feature == log_macs_feature) return {strength, believed_of_size * deviation};
    return {.penalty = penalty};
  };
  std::vector<std::size_t> used(structure + losses);
  std::iota(used.begin(), used.end(), std::size_t{0});
  for (;;) {
    std::vector<std::vector<double>> features;
    std::vector<Prior> priors;
    for (const Evidence& network : networks) features.push_back(pick(features_of(network), used));
    for (std::size_t i : used) priors.push_back(prior(i));
    Ridge ridge(features, trained, priors);
    std::size_t wrong = 0;
    while (wrong < used.size() && (used[wrong] < structure || ridge.coefficient(wrong) >= 0)) ++wrong;
    if (wrong == used.size()) return {std::move(used), std::move(ridge)};
    used.erase(used.begin() + wrong);
  }
}

}  // namespace

ScoreModel::ScoreModel(std::span<const Evidence> networks, std::span<const double> quality) {
  require(!networks.empty() && networks.size() == quality.size(), "score", "got {} networks and {} qualities",
          networks.size(), quality.size());
  for (const double penalty : penalties) {
    Fit found = fit(networks, quality, penalty);
    if (ridge_ && found.ridge.leave_one_out_error() >= ridge_->leave_one_out_error()) continue;
    used_ = std::move(found.used);
    ridge_ = std::move(found.ridge);
  }
}

double ScoreModel::score(const Evidence& network) const {
  const std::vector<double> features = features_of(network);
  require(features.size() > used_.back(), "score", "{} features are known, the model uses feature {}",
          features.size(), used_.back());
  return ridge_->predict(pick(features, used_));
}

std::vector<double> leave_one_out(std::span<const Evidence> networks, std::span<const double> quality) {
  std::vector<double> scores;
  if (networks.size() <= ScoreModel::least_networks) return scores;
  for (std::size_t left = 0; left < networks.size(); ++left) {
    std::vector<Evidence> rest(networks.begin(), networks.end());
    std::vector<double> rest_quality(quality.begin(), quality.end());
    rest.erase(rest.begin() + left);
    rest_quality.erase(rest_quality.begin() + left);
    scores.push_back(ScoreModel(rest, rest_quality).score(networks[left]));
  }
  return scores;
}

SearchScore::SearchScore(std::span<const Measured> sample, bool predicts) {
  std::vector<Evidence> networks;
  std::vector<double> quality, predicted, size;
  for (const Measured& network : sample) {
    networks.push_back(network.evidence);
    quality.push_back(-network.trained.loss);
    if (network.predicted_loss()) predicted.push_back(-*network.predicted_loss());
    size.push_back(network.evidence.structure.at(log_macs_feature));
  }
  const std::vector<double> left_out = leave_one_out(networks, quality);
  if (!left_out.empty() && kendall_tau(left_out, quality).value_or(0) > 0) {
    kind_ = predicts ? Kind::model : Kind::structure;
    model_.emplace(networks, quality);
    of_sample_ = left_out;
  } else if (predicts && (left_out.empty() || kendall_tau(predicted, quality).value_or(0) > 0)) {
    kind_ = Kind::prediction;
    of_sample_ = predicted;
  } else {
    kind_ = Kind::size;
    of_sample_ = size;
  }
}

const char* name_of(SearchScore::Kind kind) {
  switch (kind) {
    case SearchScore::Kind::model:
      return "structure and prediction";
    case SearchScore::Kind::structure:
      return "structure";
    case SearchScore::Kind::prediction:
      return "prediction";
    case SearchScore::Kind::size:
      return "size";
  }
  return "?";
}

double SearchScore::of(const Evidence& network) const {
  switch (kind_) {
    case Kind::model:
    case Kind::structure:
      return model_->score(network);
    case Kind::prediction:
      return -network.losses.at(0);
    case Kind::size:
      return network.structure.at(log_macs_feature);
  }
  return 0;
}

}  // namespace adwp::nas
