// What predicting a network's kernels costs: a training step of the HyperNetwork through a network,
// against a training step of that network itself.
//
//   prediction_cost [--space SPACE] [--networks N] [--repetitions N] [--batch N] [--image PIXELS]
//                   [--device D] [--precision P] [--engine E] [--threads N] [--seed N] [--profile]
//
// Draws random networks of the space. For each, times in turns (1) the network's own step: forward,
// backward, SGD; (2) the same with predicted kernels: prediction, forward, backward through network
// and HyperNetwork, AdamW; and (3) prediction alone, as an evaluation does it. Medians over the
// repetitions, and the median over networks of the ratio. --profile adds the methods' shares of (2).
#include <fmt/format.h>

#include <algorithm>

#include "apps/common/main.h"
#include "bench/ceilings.h"
#include "bench/network_bench.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/weights/hypernetwork.h"

namespace {

using namespace adwp;
using bench::median;

struct Options : bench::DeviceOptions {
  std::string space = "tiny";
  std::int64_t networks = 20, repetitions = 9, batch = 64, image = 32;
  std::uint64_t seed = 0;
  bool profile = false;
};

template <typename Step>
double seconds(Backend& backend, Step&& step) {
  const auto start = std::chrono::steady_clock::now();
  step();
  backend.synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Times {
  double own = 0, with_prediction = 0, prediction = 0;
};

void run(const Options& options) {
  const std::unique_ptr<Backend> backend = bench::open(options);
  Arena arena(*backend, std::size_t{3} << 30);
  const nas::SearchSpace space = nas::SearchSpace::open(options.space);
  const nas::Task task{.image_size = options.image};
  nas::HyperNetwork source(arena, space, task, {}, options.seed);
  const data::DeviceImages images =
      data::DeviceImages::reserve(arena, options.batch, options.image, options.image, 3);
  nas::HyperTrainer hyper(*backend, arena, source, space, task, images, {},
                          {.batch = options.batch, .seed = options.seed});

  const Shape shape{options.batch, options.image, options.image, 3};
  Random random(options.seed, Purpose::test);
  std::vector<float> pixels;
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < shape.elements(); ++i) pixels.push_back(random.normal());
  for (std::int64_t i = 0; i < options.batch; ++i) {
    labels.push_back(static_cast<std::int32_t>(random.below(10)));
  }
  const Tensor x = Tensor::from_host(arena, shape, std::span<const float>(pixels));
  const Tensor y = Tensor::from_host(arena, Shape{options.batch}, std::span<const std::int32_t>(labels));

  Profile profile;
  std::vector<double> ratios;
  double own = 0, with_prediction = 0, prediction = 0;
  fmt::print("device {} ({}); space {}; batch {} of {} x {}; HyperNetwork of {} parameters\n",
             backend->name(), backend->description(), space.name, options.batch, options.image, options.image,
             source.parameters().parameters());
  fmt::print("{:>10} {:>12} {:>12} {:>16} {:>14} {:>8}\n", "params", "MACs", "own step ms", "with prediction",
             "predicting ms", "on top");
  for (std::int64_t i = 0; i < options.networks; ++i) {
    Random draw(options.seed, Purpose::architecture, static_cast<std::uint64_t>(i));
    const nas::NetworkPlan plan = nas::plan_network(space.sample(draw), task);
    const Arena::Frame frame(arena);
    nas::NetworkTrainer trainer(*backend, arena, plan, images, {}, {.batch = options.batch});
    auto own_step = [&] {
      const Arena::Frame step(arena);
      trainer.train_step(x, y, 0.01f);
    };
    auto predicted_step = [&] {
      const Arena::Frame step(arena);
      hyper.train_step(plan, x, y, 1e-3f);
    };
    auto predict = [&] {
      const Arena::Frame step(arena);
      Tape tape(*backend, arena, Tape::Recording::off);
      source.weights(tape, plan);
    };
    own_step();
    predicted_step();
    std::vector<double> a, b, c;
    for (std::int64_t r = 0; r < options.repetitions; ++r) {
      a.push_back(seconds(*backend, own_step));
      b.push_back(seconds(*backend, predicted_step));
      c.push_back(seconds(*backend, predict));
    }
    if (options.profile) {
      backend->attach(&profile);
      predicted_step();
      backend->attach(nullptr);
    }
    const Times t{median(a), median(b), median(c)};
    ratios.push_back(t.with_prediction / t.own - 1);
    own += t.own;
    with_prediction += t.with_prediction;
    prediction += t.prediction;
    fmt::print("{:>10} {:>12} {:>12.2f} {:>16.2f} {:>14.2f} {:>7.0f}%\n", plan.parameters(), plan.macs(),
               t.own * 1e3, t.with_prediction * 1e3, t.prediction * 1e3, 100 * ratios.back());
  }
  std::sort(ratios.begin(), ratios.end());
  fmt::print(
      "predicting costs on top of a step: median {:.0f} % of {} networks ({:.0f} to {:.0f} %), "
      "{:.0f} % of all their time; an evaluation's prediction takes {:.2f} ms\n",
      100 * median(ratios), ratios.size(), 100 * ratios.front(), 100 * ratios.back(),
      100 * (with_prediction / own - 1), prediction * 1e3 / static_cast<double>(options.networks));
  std::vector<std::pair<double, std::string>> rows;
  for (const auto& [name, row] : profile.rows) rows.push_back({row.seconds, name});
  std::sort(rows.rbegin(), rows.rend());
  for (const auto& [time, name] : rows) {
    fmt::print("  {:8.3f} ms  {}\n", time * 1e3 / static_cast<double>(options.networks), name);
  }
}

void parse_and_run(int argc, char** argv) {
  Options options;
  CLI::App app("Times what predicting kernels costs.");
  bench::declare(app, options);
  app.add_option("--space", options.space);
  app.add_option("--networks", options.networks)->check(CLI::Range(1, 10000));
  app.add_option("--repetitions", options.repetitions)->check(CLI::Range(1, 1000));
  app.add_option("--batch", options.batch)->check(CLI::Range(2, 4096));
  app.add_option("--image", options.image)->check(CLI::Range(4, 512));
  app.add_option("--seed", options.seed);
  app.add_flag("--profile", options.profile);
  if (!bench::parse(app, argc, argv)) return;
  run(options);
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, parse_and_run); }
