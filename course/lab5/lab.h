// Lab 5: what answers.cpp defines.
#pragma once

#include <cstdint>
#include <vector>

namespace lab {

// --- predicted weights ---

constexpr int tile_side = 8;

// Kernels are (out, taps, in), row-major: element (o, t, i) stands at (o taps + t) in + i.
//
// The residual form: the kernel that all networks share, cut to `out` and `in` channels, plus a prediction.
// The prediction is made of tiles of (8, taps, 8), side by side and one row of tiles under the other,
// `tiles_across` to a row; what reaches beyond the kernel is cut off. It is scaled by sqrt(2 / fan-in),
// fan-in being taps * in.
//   shared  (largest_out, taps, largest_in)
//   tiles   (tiles, 8, taps, 8)
std::vector<float> residual_kernel(const std::vector<float>& shared, int largest_in,
                                   const std::vector<float>& tiles, int tiles_across, int out, int taps,
                                   int in);

// --- rank agreement ---

// Kendall's tau-b: concordant pairs less discordant ones, over the geometric mean of the pairs that are not
// tied in a and those that are not tied in b.
double kendall_tau(const std::vector<double>& a, const std::vector<double>& b);

struct Interval {
  double low, high;
};
// 95 % of kendall_tau(truth, score) over 2,000 resamples of the networks, with replacement. The same seed
// gives the same interval.
Interval interval(const std::vector<double>& truth, const std::vector<double>& score, std::uint64_t seed);

// The same of kendall_tau(truth, score) - kendall_tau(truth, other), both on the same resamples.
Interval difference(const std::vector<double>& truth, const std::vector<double>& score,
                    const std::vector<double>& other, std::uint64_t seed);

// How many networks are needed until an interval of this kind, which `networks` gave, would no longer reach
// 0, if the difference stays what it is.
double networks_needed(double difference, Interval interval, int networks);

}  // namespace lab
