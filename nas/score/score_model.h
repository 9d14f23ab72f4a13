// The score that a search maximises: what structure and prediction together say of a network that was never
// trained.
//
// A ridge regression of the loss after a short training on the structure's features (structure.h) and on the
// predicted losses, fitted to the networks of the rank sample. (The loss is steadier than the accuracy:
// fitted to it, the score ranks better by the accuracy that long training reaches.) Few networks are trained,
// so the regression starts from a belief and gives it up as evidence comes: it correlates with predicted
// losses and with the logarithm of multiply-accumulates, as it did in every space that was measured, and the
// rest of the structure says nothing. With few networks the score so is prediction and size; with many it is
// what the data say. A prediction whose weight would be of the wrong sign is left out: a lower loss never
// makes a network worse. How the figures were chosen: docs/results/ranking.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "nas/score/statistics.h"

namespace adwp::nas {

// What is known of a network without training it. All of one model have equally many numbers; either part may
// be empty.
struct Evidence {
  std::vector<double> structure;  // structure_features
  std::vector<double> losses;     // predicted, one per weight source
};

// How good a network is on the validation split after a training from scratch.
struct Trained {
  double accuracy = 0, loss = 0;
  bool operator==(const Trained&) const = default;
};

// One network that was trained, and predicted where there is a weight source.
struct Measured {
  std::int64_t params = 0, macs = 0;
  Evidence evidence;
  std::optional<double> predicted_accuracy;
  Trained trained;
  std::optional<double> one_epoch_loss;  // of another training, one epoch long

  std::optional<double> predicted_loss() const {
    return evidence.losses.empty() ? std::nullopt : std::optional(evidence.losses.front());
  }
};

class ScoreModel {
 public:
  static constexpr std::size_t least_networks = 8;  // fewer say nothing

  // `quality` of each network: more is better.
  ScoreModel(std::span<const Evidence> networks, std::span<const double> quality);

  // The quality expected.
  double score(const Evidence& network) const;

 private:
  std::vector<std::size_t> used_;  // features that are not left out
  std::optional<Ridge> ridge_;
};

// The score of each network by a model fitted to all the others: every choice of the fit is made without it.
// Empty for `least_networks` or fewer.
std::vector<double> leave_one_out(std::span<const Evidence> networks, std::span<const double> quality);

// What a search maximises: minus the loss expected after a short training, or what stands for it. Chosen by
// what the rank sample shows:
//
//   model        where its leave-one-out scores rank the sample the right way (Kendall tau above 0); without
//                predictions it is fitted to the structure alone
//   prediction   else, where predicted losses do, and where the sample is too small to tell
//   size         else, and where nothing is predicted: multiply-accumulates
class SearchScore {
 public:
  enum class Kind { model, structure, prediction, size };  // structure: the model without predictions

  // `predicts`: networks are predicted, which an empty sample does not show.
  explicit SearchScore(std::span<const Measured> sample, bool predicts = true);

  Kind kind() const { return kind_; }
  double of(const Evidence& network) const;
  // That of each network of the sample; a model is fitted without it.
  const std::vector<double>& of_sample() const { return of_sample_; }

 private:
  Kind kind_ = Kind::prediction;
  std::optional<ScoreModel> model_;
  std::vector<double> of_sample_;
};

const char* name_of(SearchScore::Kind kind);  // "structure and prediction", "structure", "prediction", "size"

}  // namespace adwp::nas
