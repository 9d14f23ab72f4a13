// The checker of lab 6: the rules, a contest on data sets that nobody has seen, the report.
//
//   lab6 FOLDER [SEED | report | explore]
//
// SEED chooses the data sets (1); `report` looks at the report alone; `explore` runs the student's explore().
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <regex>
#include <sstream>

#include "course/common/answers.h"
#include "course/common/report.h"
#include "course/lab6/check_bench.h"
#include "course/lab6/check_leaderboard.h"

namespace adwp::course {
namespace {

constexpr int data_sets = 3;
constexpr double needed_gain = 0.02;

// What stands behind "Name:", or nothing.
std::string name_in(const std::string& report) {
  const std::size_t at = report.find("Name:");
  if (at == std::string::npos) return "";
  std::string name = report.substr(at + 5, report.find('\n', at) - at - 5);
  std::erase_if(name, [](unsigned char c) { return c == ',' || c == '"' || std::iscntrl(c); });
  name.erase(0, name.find_first_not_of(' '));
  name.erase(name.find_last_not_of(' ') + 1);
  return name;
}

std::int64_t words_of(const std::string& text) {
  std::istringstream in(text);
  return std::distance(std::istream_iterator<std::string>(in), {});
}

// What stands under a heading, up to the next one.
std::string section(const std::string& text, const std::string& heading) {
  const std::size_t at = text.find(heading);
  expect(at != std::string::npos, "report.md: the section '{}' is missing", heading);
  const std::size_t begin = text.find('\n', at), end = std::min(text.find("\n## ", at + 1), text.size());
  return begin < end ? text.substr(begin, end - begin) : "";
}

// Is there a number within 5 points of the accuracy? Enough for means of other data sets to stand beside it.
bool names(const std::string& text, double accuracy) {
  const std::regex number(R"(\d+(\.\d+)?)");
  return std::any_of(std::sregex_iterator(text.begin(), text.end(), number), {},
                     [&](const std::smatch& match) {
                       const double value = std::stod(match.str());
                       return std::abs((value <= 1 ? 100 * value : value) - 100 * accuracy) <= 5;
                     });
}

std::string check_report(const std::string& folder) {
  const std::string text = read_answer(folder, "report.md"), name = name_in(text);
  expect(!name.empty(), "report.md: the line 'Name:' has no name, or is missing; the leaderboard needs it");
  for (const char* heading : {"## Method", "## Budget", "## Result", "## What did not work"}) {
    const std::int64_t count = words_of(section(text, heading));
    expect(count >= 20, "report.md: the section '{}' has {} words, expected at least 20", heading, count);
  }
  expect(words_of(text) <= 600, "report.md: {} words, expected at most 600: a page", words_of(text));
  std::string lines;
  const std::string result = section(text, "## Result");
  for (const Entry& entry : read_leaderboard(folder + "/leaderboard.csv")) {
    if (entry.name != name) continue;
    if (names(result, entry.accuracy) && names(result, entry.random_halving))
      return fmt::format("{} words", words_of(text));
    lines += fmt::format("{}{:.1f} % and {:.1f} %", lines.empty() ? "" : ", or ", 100 * entry.accuracy,
                         100 * entry.random_halving);
  }
  expect(!lines.empty(), "leaderboard.csv has no line of '{}' yet; a contest adds it, if the rules pass",
         name);
  wrong(
      "report.md: the section '## Result' does not name the accuracies of both searches, expected {}, as "
      "leaderboard.csv has them",
      lines);
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

// Enters the contest and says in which place.
std::string enter(const std::string& folder, const Entry& entry) {
  if (entry.name.empty()) return "not entered in leaderboard.csv: report.md has no name";
  const std::string path = folder + "/leaderboard.csv";
  const std::vector<Entry> entries = with_entry(read_leaderboard(path), entry);
  write_leaderboard(path, entries);
  std::size_t at = 0;
  while (entries[at].name != entry.name || entries[at].data_sets != entry.data_sets) ++at;
  return fmt::format("place {} in leaderboard.csv", place_of(entries, at));
}

std::string check_contest(const std::string& folder, std::uint64_t base) {
  read_leaderboard(folder + "/leaderboard.csv");  // a damaged one is said before, not behind the contest
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
  const std::string place = enter(folder, {name_in(read_answer(folder, "report.md")), base, own, other});
  const std::string result =
      fmt::format("{:.1f} % on average, random + halving {:.1f} %", 100 * own, 100 * other);
  expect(own - other >= needed_gain, "{}; expected at least {:.0f} points more; {}\n{}", result,
         100 * needed_gain, place, rows);
  return fmt::format("{}; {}\n{}", result, place, rows);
}

int check(const std::string& folder, std::uint64_t base, bool only_report) {
  Report report("lab 6");
  if (!only_report) {
    report.task("the rules", [&] { return check_rules(base); });
    const bool ready = report.passed();
    report.task(
        "better than random + halving",
        [&] {
          expect(ready, "runs when the rules pass");
          return check_contest(folder, base);
        },
        170);
  }
  report.task("the report", [&] { return check_report(folder); });
  return report.end();
}

int explore(std::uint64_t base) {
  SeededBench bench(base * 1000 + 900, /*epochs=*/1'000'000);
  lab::explore(bench);
  return 0;
}

}  // namespace
}  // namespace adwp::course

int main(int argc, char** argv) {
  using namespace adwp::course;
  const std::string folder = argc > 1 ? argv[1] : "course/lab6", mode = argc > 2 ? argv[2] : "1";
  if (mode == "explore") return explore(1);
  std::uint64_t base = 1;
  const auto [end, fault] = std::from_chars(mode.data(), mode.data() + mode.size(), base);
  const bool number =
      fault == std::errc() && end == mode.data() + mode.size() && base >= 1 && base <= 1'000'000;
  if (!number && mode != "report") {
    fmt::print(
        stderr,
        "error: [lab 6] got '{}', expected report, explore, or a number from 1 to 1,000,000 that chooses "
        "the data sets\n",
        mode);
    return 2;
  }
  return check(folder, base, mode == "report");
}
