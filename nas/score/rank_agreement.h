// Does the prediction rank networks as training does? The agreement between every score we have and
// trained accuracy, beside the trivial baselines.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "nas/score/statistics.h"

namespace adwp::nas {

// One network that was both predicted and trained.
struct Measured {
  std::int64_t params = 0, macs = 0;
  double predicted_loss = 0, predicted_accuracy = 0;
  double trained_accuracy = 0;
  std::optional<double> one_epoch_accuracy;
};

// Agreement of one ranking with trained accuracy; nothing where there is no ranking (too few
// networks, or all equal).
struct Agreement {
  std::string ranking;
  std::optional<Estimate> kendall_tau, spearman_rho;
  std::optional<double> precision_at_10;
};

struct RankAgreement {
  std::size_t sample = 0;
  double mean_predicted = 0, mean_trained = 0;  // accuracy
  std::vector<Agreement> rankings;              // "predicted loss" first

  const Agreement& of(const std::string& ranking) const;
  nlohmann::json to_json() const;  // `rank_correlation` of result.json
  std::string table() const;       // for people
};

// The names of the rankings, in order.
inline constexpr const char* by_loss = "predicted loss";
inline constexpr const char* by_accuracy = "predicted accuracy";
inline constexpr const char* by_params = "params";
inline constexpr const char* by_macs = "macs";
inline constexpr const char* by_one_epoch = "one epoch of SGD";
inline constexpr const char* by_size_fit = "fit on size";                       // leave-one-out
inline constexpr const char* by_calibrated_fit = "fit on size and prediction";  // leave-one-out

RankAgreement rank_agreement(const std::vector<Measured>& networks, std::uint64_t seed);

// The score that evolution maximises: trained accuracy as a ridge regression on (predicted loss,
// log MACs, log parameters) says it, fitted to networks that were trained; with fewer than
// `least_sample` of them, the negated predicted loss.
class Calibration {
 public:
  static constexpr std::size_t least_sample = 8;

  explicit Calibration(const std::vector<Measured>& networks);
  bool fitted() const { return ridge_.has_value(); }
  double score(double predicted_loss, std::int64_t macs, std::int64_t params) const;

 private:
  std::optional<Ridge> ridge_;
};

}  // namespace adwp::nas
