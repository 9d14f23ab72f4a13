// The checker of lab 2: results, counters and predictions of three matrix products.
#include "course/common/answers.h"
#include "course/common/kernel_check.h"
#include "course/lab2/lab.h"

namespace adwp::course {
namespace {

using Product = void (*)(Global<const float>, Global<const float>, Global<float>, int, int, int);

constexpr int side = 64;  // of the matrices that are counted

struct Case {
  int m, n, k;
  std::vector<float> a = random_floats(std::int64_t{m} * k, 1), b = random_floats(std::int64_t{k} * n, 2);

  std::vector<float> run(Product product) const {
    std::vector<float> c = unwritten(std::int64_t{m} * n);
    product(input(a, "a"), input(b, "b"), output(c, "c"), m, n, k);
    return c;
  }
  std::vector<double> expected() const {
    std::vector<double> c(std::int64_t{m} * n);
    for (int row = 0; row < m; ++row) {
      for (int i = 0; i < k; ++i) {
        for (int column = 0; column < n; ++column)
          c[row * n + column] += double{a[row * k + i]} * b[i * n + column];
      }
    }
    return c;
  }
};

Counts counts_of(Product product) {
  const Case square{side, side, side};
  return count([&] { square.run(product); });
}

// Sectors of a and b, rounds of shared memory, and what the model of docs/course/lab2.md makes of them.
struct Cost {
  double sectors_of_a, sectors_of_b, rounds, microseconds;
};

Cost cost_of(const Counts& counts) {
  const double sectors = counts.total(Space::global).cost, rounds = counts.total(Space::shared).cost;
  const double multiply_adds = double{side} * side * side;
  return {static_cast<double>(counts.total(Space::global, "a").cost),
          static_cast<double>(counts.total(Space::global, "b").cost), rounds,
          std::max({sectors, rounds, multiply_adds / 128}) / 1500};
}

void expect_right(Product product) {
  for (const Case& c : {Case{64, 64, 64}, Case{33, 17, 65}, Case{70, 130, 5}, Case{1, 1, 1}}) {
    expect_under_schedules(
        fmt::format("m {}, n {}, k {}", c.m, c.n, c.k), c.expected(), [&] { return c.run(product); },
        [n = c.n](auto i) { return fmt::format("c[{}, {}]", i / n, i % n); });
  }
}

std::string check_tiled() {
  expect_right(lab::tiled);
  const Counts counts = counts_of(lab::tiled);
  const Cost naive = cost_of(counts_of(lab::naive)), tiled = cost_of(counts);
  expect(tiled.sectors_of_a * 8 <= naive.sectors_of_a && tiled.sectors_of_b * 8 <= naive.sectors_of_b,
         "tiled: a takes {} sectors and b {}, expected at most an eighth of naive's {} and {}; each element "
         "of a tile "
         "is loaded once a block\n{}",
         tiled.sectors_of_a, tiled.sectors_of_b, naive.sectors_of_a, naive.sectors_of_b, counts.text());
  expect_cost("tiled", counts, Space::global, 1.0);
  expect_cost("tiled", counts, Space::shared, 1.0);
  return fmt::format("{} sectors, {:.0f} rounds", counts.total(Space::global).cost, tiled.rounds);
}

std::string check_registers() {
  expect_right(lab::registers);
  const Counts counts = counts_of(lab::registers);
  expect_cost("registers", counts, Space::shared, 1.0);
  expect_cost("registers", counts, Space::global, 1.0);
  const Cost tiled = cost_of(counts_of(lab::tiled)), registers = cost_of(counts);
  expect(registers.sectors_of_a * 4 <= tiled.sectors_of_a && registers.sectors_of_b * 4 <= tiled.sectors_of_b,
         "registers: a takes {} sectors and b {}, expected at most a quarter of tiled's {} and {}\n{}",
         registers.sectors_of_a, registers.sectors_of_b, tiled.sectors_of_a, tiled.sectors_of_b,
         counts.text());
  expect(registers.rounds * 3.9 <= tiled.rounds,
         "registers: shared memory takes {} rounds, expected about a quarter of tiled's {}; load four "
         "numbers of each "
         "tile into registers, then do all 16 multiply-adds with them\n{}",
         registers.rounds, tiled.rounds, counts.text());
  return fmt::format("{} sectors, {:.0f} rounds", counts.total(Space::global).cost, registers.rounds);
}

void expect_predicted(const Answers& answers, const std::string& kernel, const std::string& key,
                      double counted) {
  const double predicted = answers.number(kernel, key);
  expect(std::abs(predicted - counted) <= 0.02 * counted,
         "{} of {}: predicted {:.6g}, {} {:.6g}; where does the "
         "factor {:.3g} come from?",
         key, kernel, predicted, key == "microseconds" ? "the model has" : "counted", counted,
         predicted / counted);
}

std::string check_predictions(const std::string& folder) {
  const Answers answers(folder, "predictions.toml");
  const std::pair<const char*, Product> kernels[] = {
      {"naive", lab::naive}, {"tiled", lab::tiled}, {"registers", lab::registers}};
  std::string times;
  for (const auto& [name, product] : kernels) {
    const Cost cost = cost_of(counts_of(product));
    expect(cost.sectors_of_a > 0,
           "{}: the kernel reads nothing yet; predictions are held to the counters of your own kernels",
           name);
    expect_predicted(answers, name, "sectors_of_a", cost.sectors_of_a);
    expect_predicted(answers, name, "sectors_of_b", cost.sectors_of_b);
    if (cost.rounds > 0) expect_predicted(answers, name, "rounds", cost.rounds);
    expect_predicted(answers, name, "microseconds", cost.microseconds);
    times += fmt::format("{}{} {:.1f} us", times.empty() ? "modelled: " : ", ", name, cost.microseconds);
  }
  return times;
}

}  // namespace
}  // namespace adwp::course

int main(int argc, char** argv) {
  using namespace adwp::course;
  const std::string folder = argc > 1 ? argv[1] : "course/lab2";
  Report report("lab 2");
  report.task("naive is right", [] { return expect_right(lab::naive), std::string(); });
  report.task("tiled reads an eighth", check_tiled);
  report.task("registers asks shared memory a quarter as often", check_registers);
  report.task("predictions agree with the counters", [&] { return check_predictions(folder); });
  return report.end();
}
