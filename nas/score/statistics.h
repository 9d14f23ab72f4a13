// Rank correlation and regression on small samples.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace adwp::nas {

double mean(std::span<const double> values);
double standard_deviation(std::span<const double> values);  // of the sample, n - 1; 0 for n < 2

// Kendall's tau-b (ties allowed), -1 to 1. Nothing for fewer than 3 pairs or when either side is
// constant: there is no ranking then.
std::optional<double> kendall_tau(std::span<const double> a, std::span<const double> b);
// Spearman's rho: correlation of average ranks. Nothing as above.
std::optional<double> spearman_rho(std::span<const double> a, std::span<const double> b);

// Of the best `fraction` by `truth` (at least one), the share that is among the best as many by
// `score`. Nothing for an empty sample.
std::optional<double> precision_at(double fraction, std::span<const double> score,
                                   std::span<const double> truth);

struct Estimate {
  double value = 0, low = 0, high = 0;  // with a 95 % interval
};
using Statistic = std::function<std::optional<double>(std::span<const double>, std::span<const double>)>;
// Percentile bootstrap (Efron, 1979) over pairs, 2,000 resamples keyed by `seed`; resamples without
// a value are left out.
std::optional<Estimate> bootstrap(const Statistic& statistic, std::span<const double> a,
                                  std::span<const double> b, std::uint64_t seed);

// How much better `score` agrees with the truth than `other` does, from the same resamples for both.
std::optional<Estimate> bootstrap_gain(const Statistic& statistic, std::span<const double> score,
                                       std::span<const double> other, std::span<const double> truth,
                                       std::uint64_t seed);

// What is believed of a coefficient before the data: it lies around `mean`, the more surely the larger the
// penalty.
struct Prior {
  double penalty = 1;
  double mean = 0;
};

// Ridge regression (Hoerl & Kennard, 1970) on standardised features with an intercept:
//   minimise sum (y - b0 - b . x)^2 + sum_j penalty_j (b_j - mean_j)^2.
class Ridge {
 public:
  // features: one row per observation, all of one length; one prior per feature, its penalty positive.
  Ridge(const std::vector<std::vector<double>>& features, std::span<const double> targets,
        std::span<const Prior> priors);
  double predict(std::span<const double> features) const;
  double coefficient(std::size_t feature) const { return coefficients_[feature]; }  // of the standardised one
  // Mean squared error when each observation is predicted by a fit to all others, in closed form (Allen,
  // 1974), with the means and deviations of all.
  double leave_one_out_error() const { return leave_one_out_error_; }

 private:
  std::vector<double> standardised(std::span<const double> features) const;

  std::vector<double> means_, deviations_, coefficients_;
  double intercept_ = 0, leave_one_out_error_ = 0;
};

}  // namespace adwp::nas
