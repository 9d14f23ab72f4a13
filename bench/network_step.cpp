// One training step and one evaluation of a network, timed on request, operator by operator if asked.
//
//   network_step ARCHITECTURE.json [--device D] [--batch N] [--image PIXELS] [--classes N]
//                [--threads N] [--profile] [--dump FILE]
//
// Reads commands from stdin, one a line, and answers each with a line of JSON: `train N` and
// `evaluate N` run N repetitions and give their seconds; `quit` ends. A peer can so be measured in
// turns with this program (bench/peers/pytorch_step.py). --dump writes the weights, running
// statistics, a batch of images and the logits as safetensors. --profile prints where the time goes
// instead of taking commands.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/common/devices.h"
#include "apps/common/main.h"
#include "framework/core/error.h"
#include "framework/core/random.h"
#include "framework/io/atomic_file.h"
#include "framework/io/safetensors.h"
#include "nas/training/network_trainer.h"

namespace {

using namespace adwp;

struct Options {
  std::string architecture, device = "auto", dump;
  std::int64_t batch = 64, image = 32, classes = 10;
  int threads = 0;
  bool profile = false;
};

class Bench {
 public:
  Bench(const Options& options, Backend& backend)
      : options_(options),
        backend_(backend),
        arena_(backend, std::size_t{2} << 30),
        plan_(nas::plan_network(
            nas::Architecture::from_json(io::read_text(options.architecture)),
            {.image_size = options.image, .classes = options.classes})),
        images_(data::DeviceImages::reserve(arena_, options.batch, options.image, options.image, 3)),
        trainer_(backend, arena_, plan_, images_, PixelNorm{},
                 {.batch = options.batch, .clip = 0, .seed = 1}) {
    Random random(1, Purpose::test);
    std::vector<float> pixels;
    std::vector<std::int32_t> labels;
    const Shape shape{options.batch, options.image, options.image, 3};
    for (std::int64_t i = 0; i < shape.elements(); ++i) pixels.push_back(random.normal());
    for (std::int64_t i = 0; i < options.batch; ++i) {
      labels.push_back(static_cast<std::int32_t>(random.below(10)));
    }
    x_ = Tensor::from_host(arena_, shape, std::span<const float>(pixels));
    y_ = Tensor::from_host(arena_, Shape{options.batch}, std::span<const std::int32_t>(labels));
  }

  void train() {
    const Arena::Frame frame(arena_);
    trainer_.train_step(x_, y_, 0.01f);
  }
  void evaluate() {
    const Arena::Frame frame(arena_);
    Tape tape(backend_, arena_, Tape::Recording::off);
    trainer_.infer(tape, x_);
  }

  template <typename Step>
  std::vector<double> time(int repetitions, Step&& step) {
    std::vector<double> seconds;
    for (int i = 0; i < repetitions; ++i) {
      const auto start = std::chrono::steady_clock::now();
      step();
      backend_.synchronize();
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return seconds;
  }

  // Weights by name, "LAYER.mean" and "LAYER.var", "images" and the logits they give.
  void dump(const std::string& path) {
    const Arena::Frame frame(arena_);
    io::SafeTensors file;
    nn::ParameterStore& store = trainer_.weights().parameters();
    for (std::size_t i = 0; i < store.entries().size(); ++i) {
      file.add(store.entries()[i].name, store[static_cast<int>(i)].value());
    }
    for (std::size_t i = 0; i < plan_.layers.size(); ++i) {
      if (!plan_.layers[i].norm) continue;
      const ops::BatchStatistics& statistics = trainer_.statistics().layers()[i];
      file.add(plan_.layers[i].name + ".mean", statistics.mean);
      file.add(plan_.layers[i].name + ".var", statistics.var);
    }
    Tape tape(backend_, arena_, Tape::Recording::off);
    file.add("images", x_);
    file.add("logits", trainer_.infer(tape, x_).value());
    file.save(path);
  }

  void profile() {
    for (const bool training : {true, false}) {
      auto step = [&] { training ? train() : evaluate(); };
      time(3, step);
      const std::vector<double> undisturbed = time(20, step);
      Profile profile{.by_shape = true};
      backend_.attach(&profile);
      time(20, step);
      backend_.attach(nullptr);
      double total = 0, whole = 0;
      std::vector<std::pair<double, std::string>> rows;
      for (const auto& [name, row] : profile.rows) {
        total += row.seconds;
        rows.push_back({row.seconds, fmt::format("{:4}x {}", row.calls / 20, name)});
      }
      for (double s : undisturbed) whole += s;
      std::sort(rows.rbegin(), rows.rend());
      fmt::print("{}: {:.2f} ms a step, {:.2f} ms in operators\n", training ? "training" : "evaluation",
                 whole / 20 * 1e3, total / 20 * 1e3);
      for (const auto& [seconds, name] : rows) {
        fmt::print("  {:6.3f} ms {:5.1f} %  {}\n", seconds / 20 * 1e3, 100 * seconds / total, name);
      }
    }
  }

  const nas::NetworkPlan& plan() const { return plan_; }

 private:
  const Options& options_;
  Backend& backend_;
  Arena arena_;
  nas::NetworkPlan plan_;
  data::DeviceImages images_;
  nas::NetworkTrainer trainer_;
  Tensor x_, y_;
};

void run(int argc, char** argv) {
  Options options;
  CLI::App app("Times one training step and one evaluation of a network.");
  app.add_option("architecture", options.architecture)->required();
  app.add_option("--device", options.device);
  app.add_option("--dump", options.dump);
  app.add_option("--batch", options.batch)->check(CLI::Range(2, 4096));
  app.add_option("--image", options.image)->check(CLI::Range(4, 512));
  app.add_option("--classes", options.classes)->check(CLI::Range(1, 10000));
  app.add_option("--threads", options.threads)->check(CLI::Range(0, 1024));
  app.add_flag("--profile", options.profile);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      fmt::print("{}", app.help());
      return;
    }
    fail_usage("command line", "{}", error.what());
  }

  const std::unique_ptr<Backend> backend = apps::devices(options.threads).open(options.device);
  Bench bench(options, *backend);
  if (options.profile) {
    bench.profile();
    return;
  }
  bench.time(2, [&] { bench.train(); });
  if (!options.dump.empty()) bench.dump(options.dump);
  fmt::print("{}\n", nlohmann::json{{"device", backend->description()},
                                    {"params", bench.plan().parameters()},
                                    {"macs", bench.plan().macs()}}
                         .dump());
  std::fflush(stdout);
  std::string command;
  for (int repetitions = 0; std::cin >> command && command != "quit";) {
    std::cin >> repetitions;
    const std::vector<double> seconds =
        command == "train" ? bench.time(repetitions, [&] { bench.train(); })
                           : bench.time(repetitions, [&] { bench.evaluate(); });
    fmt::print("{}\n", nlohmann::json(seconds).dump());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, run); }
