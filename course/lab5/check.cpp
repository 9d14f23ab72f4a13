// The checker of lab 5: kernels in residual form, rank agreement and its intervals, conclusions from stored
// rankings.
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "course/common/answers.h"
#include "course/common/report.h"
#include "course/lab5/lab.h"
#include "framework/core/random.h"
#include "nas/score/statistics.h"

namespace adwp::course {
namespace {

using Numbers = std::vector<double>;

// The rankings of 144 networks (docs/results/ranking.md), by name.
std::map<std::string, Numbers> read_rankings() {
  const std::map<std::string, std::string> names{
      {"truth", "truth"},
      {"MACs", "macs"},
      {"structure", "structure"},
      {"one epoch of SGD, its loss (seed 11)", "one_epoch"},
      {"predicted, 120 epochs, seed 0", "predicted"},
      {"residual, 120 epochs, seed 0", "residual"},
      {"structure + predicted, 120 epochs, seed 0", "structure+predicted"}};
  std::map<std::string, Numbers> rankings;
  std::ifstream file(std::string(ADWP_COURSE_FOLDER) + "/../docs/results/ranking/rankings.jsonl");
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json row = nlohmann::json::parse(line);
    const auto name = names.find(row.at("ranking").get<std::string>());
    if (name != names.end()) rankings[name->second] = row.at("score").get<Numbers>();
  }
  if (rankings.size() != names.size())
    throw std::runtime_error("docs/results/ranking/rankings.jsonl lacks rankings");
  return rankings;
}

const std::map<std::string, Numbers>& rankings() {
  static const std::map<std::string, Numbers> all = read_rankings();
  return all;
}

Numbers first(const Numbers& values, std::size_t n) { return {values.begin(), values.begin() + n}; }

double tau(std::span<const double> a, std::span<const double> b) { return nas::kendall_tau(a, b).value(); }

std::string check_kernel() {
  struct Case {
    int largest_out, largest_in, out, taps, in;
  };
  for (const Case& c :
       {Case{16, 16, 16, 1, 16}, {24, 16, 16, 9, 8}, {32, 40, 20, 9, 12}, {64, 64, 8, 25, 48}}) {
    Random random(5, Purpose::test, c.in);
    const int across = (c.in + 7) / 8, down = (c.out + 7) / 8;
    std::vector<float> shared(c.largest_out * c.taps * c.largest_in), tiles(across * down * 64 * c.taps);
    for (float& value : shared) value = random.normal();
    for (float& value : tiles) value = random.normal();
    const std::vector<float> found =
        lab::residual_kernel(shared, c.largest_in, tiles, across, c.out, c.taps, c.in);
    const std::string what = fmt::format("residual_kernel, out {}, taps {}, in {}", c.out, c.taps, c.in);
    expect(std::ssize(found) == c.out * c.taps * c.in, "{}: {} elements, expected {}", what, found.size(),
           c.out * c.taps * c.in);
    for (int o = 0; o < c.out; ++o) {
      for (int t = 0; t < c.taps; ++t) {
        for (int i = 0; i < c.in; ++i) {
          const int tile = (o / 8 * across + i / 8) * 64 * c.taps;
          const double common = shared[(o * c.taps + t) * c.largest_in + i];
          const double change =
              tiles[tile + (o % 8 * c.taps + t) * 8 + i % 8] * std::sqrt(2.0 / (c.taps * c.in));
          const double value = found[(o * c.taps + t) * c.in + i];
          expect(std::abs(value - common - change) < 1e-4,
                 "{}: element ({}, {}, {}) is {:.5f}, expected {:.5f} + "
                 "{:.5f}, shared and predicted",
                 what, o, t, i, value, common, change);
        }
      }
    }
  }
  return "";
}

std::string check_tau() {
  Random random(6, Purpose::test);
  for (const int levels : {3, 6, 1000}) {
    Numbers a(60), b(60);
    for (std::size_t i = 0; i < a.size(); ++i) {
      a[i] = random.below(levels);
      b[i] = a[i] + random.below(levels);
    }
    const double found = lab::kendall_tau(a, b), expected = tau(a, b);
    expect(std::abs(found - expected) < 1e-9,
           "kendall_tau: {:.4f} for 60 networks with {}, expected {:.4f}{}", found,
           levels == 1000 ? "hardly any ties" : "many ties", expected,
           levels == 1000 ? "" : "; a pair that is tied in one ranking agrees with nothing");
  }
  return "";
}

// The ends may be off by a sixteenth of the width: 2,000 resamples leave about a third of that.
void expect_interval(const std::string& what, const lab::Interval& found, const nas::Estimate& expected,
                     const std::string& hint) {
  const double allowed = 0.06 * (expected.high - expected.low);
  expect(std::abs(found.low - expected.low) <= allowed && std::abs(found.high - expected.high) <= allowed,
         "{}: {:.3f} to {:.3f}, expected about {:.3f} to {:.3f}; {}", what, found.low, found.high,
         expected.low, expected.high, hint);
}

std::string check_intervals() {
  const Numbers& truth = rankings().at("truth");
  for (const auto& [name, n] : {std::pair{"predicted", std::size_t{40}}, {"macs", truth.size()}}) {
    const Numbers y = first(truth, n), score = first(rankings().at(name), n);
    const lab::Interval found = lab::interval(y, score, 1);
    if (n < truth.size()) {
      const lab::Interval again = lab::interval(y, score, 1);
      expect(found.low == again.low && found.high == again.high, "interval: two calls with one seed differ");
    }
    expect_interval(fmt::format("interval of {}, {} networks", name, n), found,
                    nas::bootstrap(nas::kendall_tau, score, y, 7).value(),
                    "resample networks, that is pairs of truth and score, and take the middle 95 %");
  }
  return "";
}

std::string check_differences() {
  const auto& all = rankings();
  const Numbers& truth = all.at("truth");
  for (const auto& [score, other] : {std::pair{"structure", "macs"}, {"structure+predicted", "structure"}}) {
    expect_interval(fmt::format("difference of {} and {}", score, other),
                    lab::difference(truth, all.at(score), all.at(other), 1),
                    nas::bootstrap_gain(nas::kendall_tau, all.at(score), all.at(other), truth, 7).value(),
                    "both rankings are judged on the same resample, so that what it has in common cancels");
  }
  for (const auto& [delta, half_width, networks] :
       {std::tuple{0.1, 0.1, 50}, {0.05, 0.2, 40}, {-0.03, 0.06, 144}}) {
    const double found = lab::networks_needed(delta, {delta - half_width, delta + half_width}, networks);
    const double expected = networks * half_width * half_width / (delta * delta);
    expect(std::abs(found - expected) <= 1 + 0.01 * expected,
           "networks_needed: {:.0f} for a difference of {} known to "
           "+- {} from {} networks, expected {:.0f}; a width falls as one over the root of the number of "
           "networks",
           found, delta, half_width, networks, expected);
  }
  return "";
}

std::string table() {
  const auto& all = rankings();
  const Numbers &truth = all.at("truth"), &macs = all.at("macs");
  std::string text =
      fmt::format("{} networks\n       ranking by              tau   above macs\n", truth.size());
  for (const auto& [name, score] : all) {
    if (name == "truth") continue;
    const lab::Interval range = lab::difference(truth, score, macs, 1);
    text += fmt::format(
        "       {:20} {:6.3f}  {:6.3f} ({:.3f} to {:.3f})\n", name, lab::kendall_tau(truth, score),
        lab::kendall_tau(truth, score) - lab::kendall_tau(truth, macs), range.low, range.high);
  }
  const Numbers &both = all.at("structure+predicted"), &structure = all.at("structure");
  const lab::Interval gain = lab::difference(truth, both, structure, 1);
  return text + fmt::format("       structure+predicted above structure: {:.3f} ({:.3f} to {:.3f})\n",
                            lab::kendall_tau(truth, both) - lab::kendall_tau(truth, structure), gain.low,
                            gain.high);
}

void expect_verdict(const Answers& answers, const std::string& key, const std::string& score) {
  const nas::Estimate gain = nas::bootstrap_gain(nas::kendall_tau, rankings().at(score),
                                                 rankings().at("macs"), rankings().at("truth"), 7)
                                 .value();
  const std::string right = gain.low > 0 ? score : gain.high < 0 ? "macs" : "cannot be told";
  const std::string answer = answers.text("", key);
  expect(answer == right, "answers.toml: {} is '{}', but the difference is {:.2f} ({:.2f} to {:.2f})", key,
         answer, gain.value, gain.low, gain.high);
}

std::string check_conclusions(const std::string& folder) {
  fmt::print("{}", table());
  const Answers answers(folder, "answers.toml");
  expect_verdict(answers, "predicted_or_macs", "predicted");
  expect_verdict(answers, "structure_or_macs", "structure");
  // From the table's numbers, which are the student's own: another good bootstrap has slightly other ends.
  const Numbers &truth = rankings().at("truth"), &macs = rankings().at("macs"),
                &epoch = rankings().at("one_epoch");
  const lab::Interval gain = lab::difference(truth, epoch, macs, 1);
  const double value = lab::kendall_tau(truth, epoch) - lab::kendall_tau(truth, macs);
  const double needed = 144 * std::pow((gain.high - gain.low) / 2 / value, 2);
  const double answer = answers.number("", "networks_for_one_epoch_and_macs");
  expect(std::abs(answer - needed) <= 0.15 * needed,
         "answers.toml: {:.0f} networks for one_epoch and macs, expected "
         "about {:.0f}: the difference is {:.3f} ({:.3f} to {:.3f}) with 144",
         answer, needed, value, gain.low, gain.high);
  return "";
}

}  // namespace
}  // namespace adwp::course

int main(int argc, char** argv) {
  using namespace adwp::course;
  const std::string folder = argc > 1 ? argv[1] : "course/lab5";
  Report report("lab 5");
  report.task("kernels in residual form", check_kernel);
  report.task("Kendall's tau", check_tau);
  report.task("intervals", check_intervals);
  report.task("differences of two rankings", check_differences);
  const bool ready = report.passed();
  report.task("conclusions", [&] {
    expect(ready, "runs when tasks 1 to 4 pass: the table is made with your functions");
    return check_conclusions(folder);
  });
  return report.end();
}
