// Lab 5: the reference solution.
#include <algorithm>
#include <cmath>

#include "course/lab5/lab.h"
#include "framework/core/random.h"

namespace lab {
namespace {

constexpr int resamples = 2000;

// From `samples` values: the ends of the middle 95 %.
Interval middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) { return values[static_cast<std::size_t>(part * resamples)]; };
  return {at(0.025), at(0.975)};
}

std::vector<std::size_t> resample(adwp::Random& random, std::size_t n) {
  std::vector<std::size_t> chosen(n);
  for (std::size_t& i : chosen) i = random.below(static_cast<std::uint32_t>(n));
  return chosen;
}

std::vector<double> at(const std::vector<double>& values, const std::vector<std::size_t>& chosen) {
  std::vector<double> result;
  for (const std::size_t i : chosen) result.push_back(values[i]);
  return result;
}

}  // namespace

std::vector<float> residual_kernel(const std::vector<float>& shared, int largest_in,
                                   const std::vector<float>& tiles, int tiles_across, int out, int taps,
                                   int in) {
  std::vector<float> kernel(out * taps * in);
  const float scale = std::sqrt(2.0f / (taps * in));
  for (int o = 0; o < out; ++o) {
    for (int t = 0; t < taps; ++t) {
      for (int i = 0; i < in; ++i) {
        const int tile = o / tile_side * tiles_across + i / tile_side;
        const int within = (o % tile_side * taps + t) * tile_side + i % tile_side;
        kernel[(o * taps + t) * in + i] = shared[(o * taps + t) * largest_in + i] +
                                          scale * tiles[tile * tile_side * taps * tile_side + within];
      }
    }
  }
  return kernel;
}

double kendall_tau(const std::vector<double>& a, const std::vector<double>& b) {
  double agreement = 0, untied_a = 0, untied_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const int x = (a[i] > a[j]) - (a[i] < a[j]), y = (b[i] > b[j]) - (b[i] < b[j]);
      agreement += x * y;
      untied_a += x != 0;
      untied_b += y != 0;
    }
  }
  return agreement / std::sqrt(untied_a * untied_b);
}

Interval interval(const std::vector<double>& truth, const std::vector<double>& score, std::uint64_t seed) {
  adwp::Random random(seed, adwp::Purpose::bootstrap);
  std::vector<double> values;
  for (int i = 0; i < resamples; ++i) {
    const std::vector<std::size_t> chosen = resample(random, truth.size());
    values.push_back(kendall_tau(at(truth, chosen), at(score, chosen)));
  }
  return middle(values);
}

Interval difference(const std::vector<double>& truth, const std::vector<double>& score,
                    const std::vector<double>& other, std::uint64_t seed) {
  adwp::Random random(seed, adwp::Purpose::bootstrap);
  std::vector<double> values;
  for (int i = 0; i < resamples; ++i) {
    const std::vector<std::size_t> chosen = resample(random, truth.size());
    const std::vector<double> y = at(truth, chosen);
    values.push_back(kendall_tau(y, at(score, chosen)) - kendall_tau(y, at(other, chosen)));
  }
  return middle(values);
}

double networks_needed(double difference, Interval interval, int networks) {
  const double half_width = (interval.high - interval.low) / 2;
  return networks * std::pow(half_width / difference, 2);
}

}  // namespace lab
