// The checker of lab 1: results in double precision under several schedules, bounds, sectors.
#include "course/common/kernel_check.h"
#include "course/lab1/lab.h"

namespace adwp::course {
namespace {

std::string row_and_column(std::int64_t i, int channels) {
  return fmt::format("y[{}, {}]", i / channels, i % channels);
}

std::string check_scale_add_relu() {
  Counts counts({});
  for (const auto& [rows, channels] : {std::pair{32, 64}, {300, 8}, {7, 33}, {1, 1}}) {
    const std::int64_t n = std::int64_t{rows} * channels;
    const std::vector<float> x = random_floats(n, 1), scale = random_floats(channels, 2),
                             residual = random_floats(n, 3);
    std::vector<double> expected(n);
    for (std::int64_t i = 0; i < n; ++i) {
      expected[i] = std::max(0.0, double{scale[i % channels]} * x[i] + residual[i]);
    }
    const auto run = [&, rows = rows, channels = channels] {
      std::vector<float> y = unwritten(n);
      lab::scale_add_relu(input(x, "x"), input(scale, "scale"), input(residual, "residual"), output(y, "y"),
                          rows, channels);
      return y;
    };
    const std::string what = fmt::format("rows {}, channels {}", rows, channels);
    expect_under_schedules(what, expected, run, [c = channels](auto i) { return row_and_column(i, c); });
    if (rows != 32) continue;
    counts = count([&] { run(); });
    for (const char* array : {"x", "residual", "y"}) {
      const std::int64_t requests = counts.total(Space::global, array).requests, least = n / 32;
      expect(requests <= least,
             "{}: warps access {} {} times, expected {}: each element read once, written once\n{}", what,
             array, requests, least, counts.text());
    }
    expect_cost(what, counts, Space::global, 1.1);
  }
  return fmt::format("{} sectors", counts.total(Space::global).cost);
}

std::string check_row_sums() {
  const int rows = 5;
  const std::vector<float> x = random_floats(rows * 128, 4);
  std::vector<double> expected(rows);
  for (int i = 0; i < rows * 128; ++i) expected[i / 128] += x[i];
  const auto run = [&] {
    std::vector<float> sums = unwritten(rows);
    lab::row_sums(input(x, "x"), output(sums, "sums"), rows);
    return sums;
  };
  expect_under_schedules("5 rows", expected, run, [](auto i) { return fmt::format("sums[{}]", i); });
  const Counts counts = count([&] { run(); });
  expect_cost("5 rows", counts, Space::global, 1.1);
  expect_cost("5 rows", counts, Space::shared, 1.0);
  return "the same under 13 schedules";
}

std::string check_smooth() {
  for (const int n : {256, 1, 2, 100, 129, 1000}) {
    const std::vector<float> x = random_floats(n, 5);
    std::vector<double> expected(n);
    for (int i = 0; i < n; ++i) {
      expected[i] = (double{x[std::max(0, i - 1)]} + x[i] + x[std::min(n - 1, i + 1)]) / 3;
    }
    const auto run = [&] {
      std::vector<float> y = unwritten(n);
      lab::smooth(input(x, "x"), output(y, "y"), n);
      return y;
    };
    expect_under_schedules(fmt::format("{} elements", n), expected, run,
                           [](auto i) { return fmt::format("y[{}]", i); });
  }
  return "within bounds for 1 to 1000 elements";
}

std::string check_add_bias() {
  Counts counts({});
  for (const auto& [rows, channels] : {std::pair{64, 64}, {3, 5}, {129, 24}}) {
    const std::int64_t n = std::int64_t{rows} * channels;
    const std::vector<float> x = random_floats(n, 6), bias = random_floats(channels, 7);
    std::vector<double> expected(n);
    for (std::int64_t i = 0; i < n; ++i) expected[i] = double{x[i]} + bias[i % channels];
    const auto run = [&, rows = rows, channels = channels] {
      std::vector<float> y = unwritten(n);
      lab::add_bias(input(x, "x"), input(bias, "bias"), output(y, "y"), rows, channels);
      return y;
    };
    const std::string what = fmt::format("rows {}, channels {}", rows, channels);
    expect_under_schedules(what, expected, run, [c = channels](auto i) { return row_and_column(i, c); });
    if (rows != 64) continue;
    counts = count([&] { run(); });
    expect_cost(what, counts, Space::global, 1.1);
  }
  return fmt::format("{} sectors", counts.total(Space::global).cost);
}

}  // namespace
}  // namespace adwp::course

int main() {
  using namespace adwp::course;
  Report report("lab 1");
  report.task("scale_add_relu is right and fused", check_scale_add_relu);
  report.task("row_sums does not depend on the schedule", check_row_sums);
  report.task("smooth stays within its arrays", check_smooth);
  report.task("add_bias takes the fewest sectors", check_add_bias);
  return report.end();
}
