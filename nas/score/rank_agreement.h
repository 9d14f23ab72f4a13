// Does the prediction rank networks as training does? The agreement between every score we have and
// trained accuracy, beside the trivial baselines.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "nas/score/score_model.h"
#include "nas/score/statistics.h"

namespace adwp::nas {

// Agreement of one ranking with trained accuracy; nothing where there is no ranking (too few
// networks, or all equal).
struct Agreement {
  std::string ranking;
  std::optional<Estimate> kendall_tau, spearman_rho;
  std::optional<double> precision_at_10;
};

struct RankAgreement {
  std::size_t sample = 0;
  std::optional<double> mean_predicted, mean_trained;      // accuracy
  SearchScore::Kind kind = SearchScore::Kind::prediction;  // of the score
  std::vector<double> scores;                              // of each network, in order
  std::vector<Agreement> rankings;                         // the score first
  // How much Kendall's tau grew, paired: by the prediction over structure, by the score over size.
  std::optional<Estimate> prediction_gain, score_gain;

  const Agreement& of(const std::string& ranking) const;
  nlohmann::json to_json() const;  // `rank_correlation` of result.json
  std::string table() const;       // for people
  std::string verdict() const;     // one sentence: whether the score is to be trusted, and what it gained
};

// The names of the rankings, in order. What is fitted is leave-one-out.
inline constexpr const char* by_score = "score";
inline constexpr const char* by_loss = "predicted loss";
inline constexpr const char* by_accuracy = "predicted accuracy";
inline constexpr const char* by_structure = "structure";
inline constexpr const char* by_structure_and_prediction = "structure and prediction";
inline constexpr const char* by_params = "params";
inline constexpr const char* by_macs = "macs";
inline constexpr const char* by_one_epoch = "one epoch of SGD";  // its validation loss

// `predicts`: as in SearchScore.
RankAgreement rank_agreement(const std::vector<Measured>& networks, std::uint64_t seed, bool predicts = true);

}  // namespace adwp::nas
