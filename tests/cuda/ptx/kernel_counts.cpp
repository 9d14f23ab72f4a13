// What every launch of a network's evaluation batch and training step executes, counted without a GPU.
//
//   kernel_counts ARCHITECTURE.json [--batch N] [--image PIXELS] [--precision P] [--blocks N] [--out FILE]
//
// Runs both on the device cuda, which here is the executor of PTX, with a profile attached, so that every
// launch is known to belong to an operator. Of each launch a sample of blocks runs, spread over its grid: a
// whole step at batch 256 would take hours. Results are worth nothing then; control flow does not depend on
// them. Counts are scaled to the whole grid. Evaluation is what a search does with a candidate: batch norm
// takes the statistics of the batch. Loading images is not counted.
//
// JSON: {architecture, batch, image, precision, steps: {evaluation: [operator...], training_step: [...]}}, an
// operator {operator, bytes, flops, launches: [...]} as in framework/backend/profile.h. What belongs to none
// stands under "memory". bench/gpu_model and budgets.py read it.
#include <cxxabi.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "apps/common/devices.h"
#include "apps/common/main.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "nas/network/macro_network.h"
#include "nas/training/network_trainer.h"
#include "tests/cuda/ptx/runtime.h"

namespace adwp::executor {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string architecture, precision = "f32", out;
  std::int64_t batch = 256, image = 32;
  std::uint64_t blocks = 4;
};

// "tile_product<2, 4, MatrixOperand<true>, ...>" of a mangled name: without namespaces and parameters.
std::string short_name(const std::string& mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> full(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), std::free);
  if (status != 0) return mangled;
  std::string name =
      std::regex_replace(full.get(), std::regex(R"(adwp::cuda::|adwp::|\(anonymous namespace\)::)"), "");
  name = std::regex_replace(name, std::regex(R"(\((Precision|Activation|int|bool)\)|\([a-z]+\))"), "");
  name = name.substr(name.starts_with("void ") ? 5 : 0);
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    depth += name[i] == '<' ? 1 : name[i] == '>' ? -1 : 0;
    if (name[i] == '(' && depth == 0) return name.substr(0, i);
  }
  return name;
}

Json json_of(const Done& done) {
  if (done.kernel == nullptr) return {{"kernel", "memory"}, {"bytes", done.bytes}};
  Json executed;
  for (std::size_t i = 0; i < class_count; ++i) {
    if (done.counts.executed[i] > 0) {
      executed[name_of(static_cast<Class>(i))] =
          std::llround(done.scale * static_cast<double>(done.counts.executed[i]));
    }
  }
  const auto whole = [&](std::uint64_t count) {
    return std::llround(done.scale * static_cast<double>(count));
  };
  const Counts& c = done.counts;
  return {{"kernel", short_name(done.kernel->name)},
          {"symbol", done.kernel->name},
          {"grid", {done.grid.x, done.grid.y, done.grid.z}},
          {"threads", done.block.x * done.block.y * done.block.z},
          {"shared", done.kernel->shared_bytes + done.dynamic_shared_bytes},
          {"executed", executed},
          {"sectors", whole(c.sectors)},
          {"ideal_sectors", whole(c.ideal_sectors)},
          {"block_sectors", whole(done.block_sectors)},
          {"bank_rounds", whole(c.bank_rounds)},
          {"ideal_rounds", whole(c.ideal_rounds)}};
}

// Counts what `step` asks of the device, operator by operator.
Json counted(Backend& backend, const std::function<void()>& step) {
  Json operators = Json::array(), launches = Json::array();
  const auto end_operator = [&](const std::string& name, double bytes, double flops) {
    operators.push_back({{"operator", name},
                         {"bytes", bytes},
                         {"flops", flops},
                         {"launches", std::exchange(launches, Json::array())}});
  };
  Profile profile{.by_shape = true, .after = end_operator};
  backend.synchronize();
  runtime().tell = [&](const Done& done) {
    if (done.kernel != nullptr) return launches.push_back(json_of(done));
    operators.push_back(
        {{"operator", "memory"}, {"bytes", done.bytes}, {"flops", 0}, {"launches", {json_of(done)}}});
  };
  backend.attach(&profile);
  step();
  backend.synchronize();
  backend.attach(nullptr);
  runtime().tell = {};
  return operators;
}

Json count_steps(const Options& options) {
  const auto backend = apps::devices(1, options.precision, "hand").open("cuda");
  const nas::NetworkPlan plan =
      nas::plan_network(nas::Architecture::from_json(io::read_text(options.architecture)),
                        {.image_size = options.image, .classes = 10});
  const nas::NetworkTrainingOptions training{.batch = options.batch, .clip = 0, .seed = 1};
  const auto reserve = [&](Arena& arena) {
    return data::DeviceImages::reserve(arena, options.batch, options.image, options.image, 3);
  };
  Arena counting = Arena::counting(*backend);
  nas::NetworkTrainer::dry_run(*backend, counting, plan, reserve(counting), PixelNorm{}, training,
                               options.batch);
  Arena arena(*backend, counting.peak() + (std::size_t{64} << 20));
  nas::NetworkTrainer trainer(*backend, arena, plan, reserve(arena), PixelNorm{}, training);
  const Tensor x(arena, Shape{options.batch, options.image, options.image, 3});
  const Tensor y(arena, Shape{options.batch}, DType::i32), score(arena, Shape{2});
  y.zero();

  Json steps;
  steps["evaluation"] = counted(*backend, [&] {
    const Arena::Frame frame(arena);
    Tape tape(*backend, arena, Tape::Recording::off);
    const nas::NetworkWeights weights = trainer.weights().weights(tape, plan);
    backend->compute(CountHits{nas::forward(tape, plan, weights, x).value(), y, score});
  });
  steps["training_step"] = counted(*backend, [&] {
    const Arena::Frame frame(arena);
    trainer.train_step(x, y, 0.1f);
  });
  return steps;
}

void count_and_write(int argc, char** argv) {
  Options options;
  CLI::App app("Counts what every launch of a network's steps executes, on the executor of PTX.");
  app.add_option("architecture", options.architecture)->required();
  app.add_option("--batch", options.batch)->check(CLI::Range(2, 4096));
  app.add_option("--image", options.image)->check(CLI::Range(4, 512));
  app.add_option("--precision", options.precision)->check(CLI::IsMember({"f32", "tf32", "bf16"}));
  app.add_option("--blocks", options.blocks, "Of each launch; 0: all")->check(CLI::Range(0, 1 << 30));
  app.add_option("--out", options.out, "JSON; default: standard output");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) fail_usage("command line", "{}", error.what());
    fmt::print("{}", app.help());
    return;
  }
  runtime().options.sample = options.blocks;
  runtime().options.counters = true;
  runtime().options.races = false;
  const Json result{
      {"architecture", options.architecture}, {"batch", options.batch},   {"image", options.image},
      {"precision", options.precision},       {"blocks", options.blocks}, {"steps", count_steps(options)}};
  if (options.out.empty()) return fmt::print("{}\n", result.dump(1));
  std::ofstream(options.out) << result.dump(1) << '\n';
}

}  // namespace
}  // namespace adwp::executor

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, adwp::executor::count_and_write); }
