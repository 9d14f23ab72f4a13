// Lab 5: kernels in residual form, and how sure a ranking is. Write the functions; lab.h says what each
// computes.
#include "course/lab5/lab.h"

#include "framework/core/random.h"  // Random(seed, Purpose::bootstrap, step): below(n), uniform()

namespace lab {

std::vector<float> residual_kernel(const std::vector<float>& shared, int largest_in,
                                   const std::vector<float>& tiles, int tiles_across, int out, int taps,
                                   int in) {
  return std::vector<float>(out * taps * in);
}

double kendall_tau(const std::vector<double>& a, const std::vector<double>& b) { return 0; }

Interval interval(const std::vector<double>& truth, const std::vector<double>& score, std::uint64_t seed) {
  return {-1, 1};
}

Interval difference(const std::vector<double>& truth, const std::vector<double>& score,
                    const std::vector<double>& other, std::uint64_t seed) {
  return {-2, 2};
}

double networks_needed(double difference, Interval interval, int networks) { return 0; }

}  // namespace lab
