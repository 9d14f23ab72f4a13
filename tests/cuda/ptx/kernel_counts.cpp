// What every launch of a network's evaluation batch and training step executes, counted without a GPU; with
// --space also what a HyperNetwork of that space executes when it predicts the network's kernels, and in a
// step of its training through the network.
//
//   kernel_counts ARCHITECTURE.json [--batch N] [--image PIXELS] [--precision P] [--space SPACE] [--blocks N]
//                 [--out FILE]
//
// Runs all on the device cuda, which here is the executor of PTX, with a profile attached, so that every
// launch is known to belong to an operator. Of each launch a sample of blocks runs, spread over its grid: a
// whole step at batch 256 would take hours. Results are worth nothing then; control flow does not depend on
// them. Counts are scaled to the whole grid. Where the last of some blocks does more (last_block.cuh), a
// block runs as that once more; what it does on top stands under "tail" too, as of one block. Evaluation is
// what a search does with a candidate: batch norm takes the statistics of the batch. The HyperNetwork is as
// `search` has it unless told otherwise; the network has to be of its space, but for the activation. Loading
// is that of an evaluation batch.
//
// JSON: {architecture, batch, image, precision, predicted, steps: {loading: [operator...], evaluation: [...],
// training_step: [...], prediction: [...], hypernetwork_step: [...]}}, an operator {operator, bytes, flops,
// launches: [...]} as in framework/backend/profile.h. What belongs to none stands under "memory", copies from
// the host as "upload". A prediction is that of `predicted` such networks together, as a search has them.
// bench/gpu_model and budgets.py read it.
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
#include "nas/evaluation/evaluator.h"
#include "nas/network/macro_network.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/training/network_trainer.h"
#include "nas/weights/hypernetwork.h"
#include "tests/cuda/ptx/runtime.h"

namespace adwp::executor {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string architecture, precision = "f32", space, out;
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
  if (done.kernel == nullptr) {
    return {{"kernel", done.from_host ? "upload" : "memory"}, {"bytes", done.bytes}};
  }
  const auto whole = [&](std::uint64_t count, std::uint64_t tail) {
    return std::llround(done.scale * static_cast<double>(count) + done.tails * static_cast<double>(tail));
  };
  const Counts &c = done.counts, &t = done.tail;
  Json executed, tail = Json::object();
  for (std::size_t i = 0; i < class_count; ++i) {
    const char* name = name_of(static_cast<Class>(i));
    if (c.executed[i] + t.executed[i] > 0) executed[name] = whole(c.executed[i], t.executed[i]);
    if (t.executed[i] > 0) tail[name] = t.executed[i];
  }
  return {{"kernel", short_name(done.kernel->name)},
          {"symbol", done.kernel->name},
          {"grid", {done.grid.x, done.grid.y, done.grid.z}},
          {"threads", done.block.x * done.block.y * done.block.z},
          {"shared", done.kernel->shared_bytes + done.dynamic_shared_bytes},
          {"executed", executed},
          {"tail", tail},
          {"sectors", whole(c.sectors, t.sectors)},
          {"ideal_sectors", whole(c.ideal_sectors, t.ideal_sectors)},
          {"block_sectors", whole(done.block_sectors, t.sectors)},
          {"bank_rounds", whole(c.bank_rounds, t.bank_rounds)},
          {"ideal_rounds", whole(c.ideal_rounds, t.ideal_rounds)}};
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
  struct Telling {
    ~Telling() { runtime().tell = {}; }  // before what it writes to is gone
  } const until_the_end;
  runtime().tell = [&](const Done& done) {
    if (done.kernel != nullptr) return launches.push_back(json_of(done));
    operators.push_back(
        {{"operator", "memory"}, {"bytes", done.bytes}, {"flops", 0}, {"launches", {json_of(done)}}});
  };
  backend.attach(&profile);
  step();
  backend.synchronize();
  backend.attach(nullptr);
  return operators;
}

data::DeviceImages room_for(Arena& arena, const Options& options) {
  return data::DeviceImages::reserve(arena, options.batch, options.image, options.image, 3);
}

struct Batch {
  Batch(Arena& arena, const Options& options)
      : x(arena, Shape{options.batch, options.image, options.image, 3}),
        y(arena, Shape{options.batch}, DType::i32) {
    y.zero();
  }
  Tensor x, y;
};

constexpr std::size_t spare = std::size_t{64} << 20;

void count_network(Backend& backend, const Options& options, const nas::NetworkPlan& plan, Json& steps) {
  const nas::NetworkTrainingOptions training{.batch = options.batch, .clip = 0, .seed = 1};
  Arena counting = Arena::counting(backend);
  nas::NetworkTrainer::dry_run(backend, counting, plan, room_for(counting, options), PixelNorm{}, training,
                               options.batch);
  Arena arena(backend, counting.peak() + spare);
  const data::DeviceImages images = room_for(arena, options);
  nas::NetworkTrainer trainer(backend, arena, plan, images, PixelNorm{}, training);
  data::Loader loader = data::Loader::sequential(backend, arena, images, options.batch, PixelNorm{});
  const Batch batch(arena, options);
  const Tensor score(arena, Shape{2});
  steps["loading"] = counted(backend, [&] { loader.load(0, batch.x, batch.y); });
  steps["evaluation"] = counted(backend, [&] {
    const Arena::Frame frame(arena);
    Tape tape(backend, arena, Tape::Recording::off);
    const nas::NetworkWeights weights = trainer.weights().weights(tape, plan);
    backend.compute(CountHits{nas::forward(tape, plan, weights, batch.x).value(), batch.y, score});
  });
  steps["training_step"] = counted(backend, [&] {
    const Arena::Frame frame(arena);
    trainer.train_step(batch.x, batch.y, 0.1f);
  });
}

void count_hypernetwork(Backend& backend, const Options& options, const nas::NetworkPlan& plan, Json& steps) {
  struct Parts {
    Parts(Backend& backend, Arena& arena, const nas::SearchSpace& space, const nas::Task& task,
          const Options& options)
        : source(arena, space, task, {}, 0),
          trainer(backend, arena, source, space, task, room_for(arena, options), PixelNorm{},
                  {.batch = options.batch}) {}
    nas::HyperNetwork source;
    nas::HyperTrainer trainer;
  };
  nas::SearchSpace space = nas::SearchSpace::open(options.space);
  space.activation = plan.architecture.activation;
  Arena counting = Arena::counting(backend);
  Parts dry(backend, counting, space, plan.task, options);
  dry.trainer.dry_step(counting, dry.source, plan);
  Arena arena(backend, counting.peak() + spare);
  Parts parts(backend, arena, space, plan.task, options);
  const Batch batch(arena, options);
  const std::vector<nas::NetworkPlan> plans(nas::Evaluator::most_together, plan);
  steps["prediction"] = counted(backend, [&] {
    const Arena::Frame frame(arena);
    Tape tape(backend, arena, Tape::Recording::off);
    parts.source.weights(tape, plans);
  });
  steps["hypernetwork_step"] = counted(backend, [&] {
    const Arena::Frame frame(arena);
    parts.trainer.train_step(plan, batch.x, batch.y, 1e-3f);
  });
}

Json count_steps(const Options& options) {
  const auto backend = apps::devices(1, options.precision, "hand").open("cuda");
  const nas::NetworkPlan plan =
      nas::plan_network(nas::Architecture::from_json(io::read_text(options.architecture)),
                        {.image_size = options.image, .classes = 10});
  Json steps;
  count_network(*backend, options, plan, steps);
  if (!options.space.empty()) count_hypernetwork(*backend, options, plan, steps);
  return steps;
}

void count_and_write(int argc, char** argv) {
  Options options;
  CLI::App app("Counts what every launch of a network's steps executes, on the executor of PTX.");
  app.add_option("architecture", options.architecture)->required();
  app.add_option("--batch", options.batch)->check(CLI::Range(2, 4096));
  app.add_option("--image", options.image)->check(CLI::Range(4, 512));
  app.add_option("--precision", options.precision)->check(CLI::IsMember({"f32", "tf32", "bf16"}));
  app.add_option("--space", options.space, "Of the HyperNetwork: a preset, or a TOML file");
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
  const Json result{{"architecture", options.architecture},
                    {"batch", options.batch},
                    {"image", options.image},
                    {"precision", options.precision},
                    {"blocks", options.blocks},
                    {"predicted", nas::Evaluator::most_together},
                    {"steps", count_steps(options)}};
  if (options.out.empty()) return fmt::print("{}\n", result.dump(1));
  std::ofstream(options.out) << result.dump(1) << '\n';
}

}  // namespace
}  // namespace adwp::executor

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, adwp::executor::count_and_write); }
