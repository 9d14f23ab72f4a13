// The checker of lab 6: the report, the rules, and a contest on data sets that nobody has seen.
//
//   lab6 FOLDER [SEED]      # SEED chooses the data sets
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>

#include "course/common/answers.h"
#include "course/common/report.h"
#include "course/lab6/check_bench.h"

namespace adwp::course {
namespace {

constexpr int data_sets = 3;
constexpr double needed_gain = 0.02;

std::string name_in(const std::string& report) {
  const std::size_t at = report.find("Name:");
  expect(at != std::string::npos, "report.md: no line 'Name: ...', which the leaderboard needs");
  std::string name = report.substr(at + 5, report.find('\n', at) - at - 5);
  std::erase_if(name, [](char c) { return c == ',' || c == '"'; });
  name.erase(0, name.find_first_not_of(' '));
  expect(!name.empty(), "report.md: the line 'Name:' has no name");
  return name;
}

std::string check_report(const std::string& folder) {
  const std::string text = read_answer(folder, "report.md");
  name_in(text);
  std::istringstream in(text);
  const auto words = std::distance(std::istream_iterator<std::string>(in), {});
  for (const char* section : {"## Method", "## Budget", "## Result", "## What did not work"}) {
    const std::size_t at = text.find(section);
    expect(at != std::string::npos, "report.md: the section '{}' is missing", section);
    const std::size_t begin = text.find('\n', at), end = std::min(text.find("\n## ", at + 1), text.size());
    std::istringstream body(begin < end ? text.substr(begin, end - begin) : "");
    const auto count = std::distance(std::istream_iterator<std::string>(body), {});
    expect(count >= 20, "report.md: the section '{}' has {} words, expected at least 20", section, count);
  }
  expect(words <= 600, "report.md: {} words, expected at most 600: a page", words);
  const std::size_t result = text.find("## Result");
  const std::string body = text.substr(result, text.find("\n## ", result) - result);
  expect(std::count_if(body.begin(), body.end(), [](unsigned char c) { return std::isdigit(c); }) >= 4,
         "report.md: the section '## Result' has no figures; expected the accuracies of both searches");
  return fmt::format("{} words", words);
}

nas::Architecture run_strategy(SeededBench& bench, std::uint64_t seed) {
  const nas::Architecture chosen = lab::search(bench, seed);
  expect(bench.space().contains(chosen), "search: what it returns is not of the space {}",
         bench.space().name);
  return chosen;
}

std::string check_rules(std::uint64_t base) {
  SeededBench bench(base * 1000);
  const nas::Architecture chosen = run_strategy(bench, 1);
  const std::int64_t spent = budget - bench.left(), trainings = bench.trainings();
  expect(2 * spent > budget,
         "search: it spends {} of {} epochs, expected more than half: what it knows before it has seen the "
         "data is a "
         "prior, not a search",
         spent, budget);
  bench.begin_again();
  expect(
      run_strategy(bench, 1) == chosen,
      "search: the same data and the same seed give another architecture; draw from Random(seed, ...) alone");
  return fmt::format("{} trainings in {} epochs", trainings, spent);
}

void enter(const std::string& folder, std::uint64_t base, double own, double other) {
  const std::string path = folder + "/leaderboard.csv";
  const bool fresh = !std::ifstream(path).good();
  std::ofstream file(path, std::ios::app);
  if (fresh) file << "name,data_sets,accuracy,random_halving,gain\n";
  file << fmt::format("{},{},{:.4f},{:.4f},{:.4f}\n", name_in(read_answer(folder, "report.md")), base, own,
                      other, own - other);
}

std::string check_contest(const std::string& folder, std::uint64_t base) {
  double own = 0, other = 0;
  std::string rows;
  for (int i = 1; i <= data_sets; ++i) {
    const std::uint64_t seed = base * 1000 + i;
    SeededBench bench(seed);
    const double accuracy = bench.test_accuracy(run_strategy(bench, seed));
    bench.begin_again();
    const double by_chance = bench.test_accuracy(random_halving(bench, seed));
    rows += fmt::format("       data set {}: {:.1f} %, random + halving {:.1f} %\n", seed, 100 * accuracy,
                        100 * by_chance);
    own += accuracy / data_sets;
    other += by_chance / data_sets;
  }
  enter(folder, base, own, other);
  expect(own - other >= needed_gain,
         "{:.1f} % on average, random + halving {:.1f} %; expected at least {:.0f} points "
         "more\n{}",
         100 * own, 100 * other, 100 * needed_gain, rows);
  return fmt::format("{:.1f} % on average, random + halving {:.1f} %\n{}", 100 * own, 100 * other, rows);
}

}  // namespace
}  // namespace adwp::course

int main(int argc, char** argv) {
  using namespace adwp::course;
  const std::string folder = argc > 1 ? argv[1] : "course/lab6";
  const std::uint64_t base = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  Report report("lab 6");
  report.task("the report", [&] { return check_report(folder); });
  report.task("the rules", [&] { return check_rules(base); });
  const bool ready = report.passed();
  report.task(
      "better than random + halving",
      [&] {
        expect(ready, "runs when the report and the rules pass");
        return check_contest(folder, base);
      },
      170);
  return report.end();
}
