#include "nas/score/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "framework/core/error.h"
#include "framework/core/random.h"

namespace adwp::nas {
namespace {

constexpr std::size_t least_pairs = 3;
constexpr int resamples = 2000;

// Ranks from 1, ties share their mean rank.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) {
      result[order[i]] = (begin + end + 1) / 2.0;
    }
    begin = end;
  }
  return result;
}

std::optional<double> correlation(std::span<const double> a, std::span<const double> b) {
  const double mean_a = mean(a), mean_b = mean(b);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  if (aa == 0 || bb == 0) return std::nullopt;
  return ab / std::sqrt(aa * bb);
}

std::vector<std::size_t> best(std::span<const double> values, std::size_t count) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  order.resize(count);
  return order;
}

using Columns = std::vector<std::vector<double>>;

// The value of `of` on columns of equal length, and between which bounds it lies on 95 % of their resamples.
template <typename Of>
std::optional<Estimate> resampled(const std::vector<std::span<const double>>& columns, std::uint64_t seed,
                                  Of&& of) {
  Columns picked;
  for (const auto& column : columns) picked.emplace_back(column.begin(), column.end());
  const std::optional<double> value = of(picked);
  if (!value) return std::nullopt;
  std::vector<double> samples;
  for (int resample = 0; resample < resamples; ++resample) {
    Random random(seed, Purpose::bootstrap, resample);
    for (std::size_t i = 0; i < picked[0].size(); ++i) {
      const std::uint32_t from = random.below(picked[0].size());
      for (std::size_t c = 0; c < picked.size(); ++c) picked[c][i] = columns[c][from];
    }
    if (const std::optional<double> sample = of(picked)) samples.push_back(*sample);
  }
  if (samples.empty()) return Estimate{*value, *value, *value};
  std::sort(samples.begin(), samples.end());
  auto quantile = [&](double q) {
    const std::size_t below = q * (samples.size() - 1);  // rounded down
    return samples[below];
  };
  return Estimate{*value, quantile(0.025), quantile(0.975)};
}

using Matrix = std::vector<std::vector<double>>;

// The lower triangle L of a symmetric positive definite matrix, a = L L' (Cholesky).
Matrix cholesky(Matrix a) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i][k] * a[j][k];
      if (i == j) {
        require(sum > 0, "ridge", "singular system; give positive penalties");
        a[i][i] = std::sqrt(sum);
      } else {
        a[i][j] = sum / a[j][j];
      }
    }
  }
  return a;
}

// x of L L' x = b.
std::vector<double> solve(const Matrix& lower, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= lower[i][k] * b[k];
    b[i] /= lower[i][i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= lower[k][i] * b[k];
    b[i] /= lower[i][i];
  }
  return b;
}

}  // namespace

double mean(std::span<const double> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / values.size();
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double centre = mean(values);
  double sum = 0;
  for (double value : values) sum += (value - centre) * (value - centre);
  return std::sqrt(sum / (values.size() - 1));
}

std::optional<double> kendall_tau(std::span<const double> a, std::span<const double> b) {
  require(a.size() == b.size(), "kendall", "unequal samples, got {} and {}", a.size(), b.size());
  if (a.size() < least_pairs) return std::nullopt;
  double agreement = 0, untied_a = 0, untied_b = 0;  // whole numbers
  auto sign = [](double x) { return x > 0 ? 1 : (x < 0 ? -1 : 0); };
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const int da = sign(a[i] - a[j]), db = sign(b[i] - b[j]);
      agreement += da * db;
      untied_a += da != 0;
      untied_b += db != 0;
    }
  }
  if (untied_a == 0 || untied_b == 0) return std::nullopt;
  return agreement / std::sqrt(untied_a * untied_b);
}

std::optional<double> spearman_rho(std::span<const double> a, std::span<const double> b) {
  require(a.size() == b.size(), "spearman", "unequal samples, got {} and {}", a.size(), b.size());
  if (a.size() < least_pairs) return std::nullopt;
  return correlation(ranks(a), ranks(b));
}

std::optional<double> precision_at(double fraction, std::span<const double> score,
                                   std::span<const double> truth) {
  require(score.size() == truth.size(), "precision", "unequal samples, got {} and {}", score.size(),
          truth.size());
  if (score.empty()) return std::nullopt;
  const std::size_t count = std::max(1l, std::lround(fraction * score.size()));
  const std::vector<std::size_t> found = best(score, count), wanted = best(truth, count);
  double hits = 0;
  for (std::size_t index : found) hits += std::count(wanted.begin(), wanted.end(), index);
  return hits / count;
}

std::optional<Estimate> bootstrap(const Statistic& statistic, std::span<const double> a,
                                  std::span<const double> b, std::uint64_t seed) {
  return resampled({a, b}, seed, [&](const Columns& c) { return statistic(c[0], c[1]); });
}

std::optional<Estimate> bootstrap_gain(const Statistic& statistic, std::span<const double> score,
                                       std::span<const double> other, std::span<const double> truth,
                                       std::uint64_t seed) {
  return resampled({score, other, truth}, seed, [&](const Columns& c) -> std::optional<double> {
    const std::optional<double> by_score = statistic(c[0], c[2]), by_other = statistic(c[1], c[2]);
    if (!by_score || !by_other) return std::nullopt;
    return *by_score - *by_other;
  });
}

Ridge::Ridge(const std::vector<std::vector<double>>& features, std::span<const double> targets,
             std::span<const Prior> priors) {
  require(!features.empty() && features.size() == targets.size(), "ridge",
          "got {} observations and {} targets", features.size(), targets.size());
  const std::size_t n = features.size(), width = features[0].size();
  require(priors.size() == width, "ridge", "got {} priors, expected {}", priors.size(), width);
  for (std::size_t j = 0; j < width; ++j) {
    std::vector<double> column;
    for (const auto& row : features) column.push_back(row[j]);
    means_.push_back(mean(column));
    const double deviation = standard_deviation(column);
    deviations_.push_back(deviation > 0 ? deviation : 1);
  }
  intercept_ = mean(targets);

  // The normal equations of the deviation from the priors' means.
  Matrix rows, normal(width, std::vector<double>(width, 0));
  std::vector<double> right(width, 0), rest;
  for (std::size_t i = 0; i < n; ++i) {
    rows.push_back(standardised(features[i]));
    double unexplained = targets[i] - intercept_;
    for (std::size_t j = 0; j < width; ++j) unexplained -= priors[j].mean * rows[i][j];
    for (std::size_t j = 0; j < width; ++j) {
      right[j] += rows[i][j] * unexplained;
      for (std::size_t k = 0; k < width; ++k) normal[j][k] += rows[i][j] * rows[i][k];
    }
  }
  for (std::size_t j = 0; j < width; ++j) normal[j][j] += priors[j].penalty;
  const Matrix lower = cholesky(std::move(normal));
  coefficients_ = solve(lower, std::move(right));
  for (std::size_t j = 0; j < width; ++j) coefficients_[j] += priors[j].mean;

  // An observation left out errs by its residual over 1 - leverage.
  for (std::size_t i = 0; i < n; ++i) {
    const std::vector<double> pulled = solve(lower, rows[i]);
    const double leverage = 1.0 / n + std::inner_product(pulled.begin(), pulled.end(), rows[i].begin(), 0.0);
    const double error = (targets[i] - predict(features[i])) / std::max(1 - leverage, 1e-6);
    leave_one_out_error_ += error * error / n;
  }
}

std::vector<double> Ridge::standardised(std::span<const double> features) const {
  std::vector<double> row;
  for (std::size_t j = 0; j < features.size(); ++j) row.push_back((features[j] - means_[j]) / deviations_[j]);
  return row;
}

double Ridge::predict(std::span<const double> features) const {
  const std::vector<double> row = standardised(features);
  return std::inner_product(row.begin(), row.end(), coefficients_.begin(), intercept_);
}

}  // namespace adwp::nas
