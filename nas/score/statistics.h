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

// Ridge regression (Hoerl & Kennard, 1970) on standardised features with an intercept:
//   minimise sum (y - b0 - b . x)^2 + penalty |b|^2.
class Ridge {
 public:
  // features: one row an observation, all of one length.
  Ridge(const std::vector<std::vector<double>>& features, std::span<const double> targets, double penalty);
  double predict(std::span<const double> features) const;

 private:
  std::vector<double> means_, deviations_, coefficients_;
  double intercept_ = 0;
};

// Each observation predicted by a fit to all the others.
std::vector<double> leave_one_out(const std::vector<std::vector<double>>& features,
                                  std::span<const double> targets, double penalty);

}  // namespace adwp::nas
