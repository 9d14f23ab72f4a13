// What predicting a network's kernels costs: a training step of the HyperNetwork through a network, against a
// training step of that network itself.
//
//   prediction_cost [--space SPACE] [--networks N] [--batch N] [--image PIXELS] [--device D] [--precision P]
//                   [--engine E] [--threads N] [--seed N] [--benchmark_...]
//
// Draws random networks of the space. Cases of each (`network3/...`):
//   own_step         forward, backward, SGD
//   predicted_step   the same with predicted kernels: prediction, forward, backward through network and
//                    HyperNetwork, AdamW. `on_top`: its time over that of the own step, less 1
//   prediction       prediction by itself, as an evaluation does it
#include "apps/common/main.h"
#include "bench/network_bench.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/weights/hypernetwork.h"

namespace {

using namespace adwp;

struct Options : bench::DeviceOptions {
  std::string space = "tiny";
  std::int64_t networks = 20, batch = 64, image = 32;
  std::uint64_t seed = 0;
};

class PredictionBench {
 public:
  PredictionBench(const Options& options, Backend& backend)
      : options_(options),
        backend_(backend),
        arena_(backend, std::size_t{3} << 30),
        space_(nas::SearchSpace::open(options.space)),
        source_(arena_, space_, task(), {}, options.seed),
        images_(data::DeviceImages::reserve(arena_, options.batch, options.image, options.image, 3)),
        hyper_(backend, arena_, source_, space_, task(), images_, {},
               {.batch = options.batch, .seed = options.seed}),
        batch_(arena_, options.batch, options.image, task().classes, options.seed),
        own_seconds_(static_cast<std::size_t>(options.networks)) {}

  void report() {
    bench::report_device(backend_);
    benchmark::AddCustomContext("space", space_.name);
    benchmark::AddCustomContext("batch",
                                fmt::format("{} of {} x {}", options_.batch, options_.image, options_.image));
    benchmark::AddCustomContext("HyperNetwork",
                                fmt::format("{} parameters", source_.parameters().parameters()));
  }

  void add_cases(std::size_t i) {
    Random draw(options_.seed, Purpose::architecture, i);
    const nas::NetworkPlan plan = nas::plan_network(space_.sample(draw), task());
    auto add = [&](const char* name, auto body) {
      bench::add_case(fmt::format("network{}/{}", i, name), std::move(body))->Unit(benchmark::kMillisecond);
    };
    add("own_step",
        [this, plan, i](benchmark::State& state) { time_own_step(state, plan, own_seconds_[i]); });
    add("predicted_step", [this, plan, i](benchmark::State& state) {
      const double seconds = time(state, [&] { hyper_.train_step(plan, batch_.x, batch_.y, 1e-3f); });
      if (own_seconds_[i] > 0) state.counters["on_top"] = seconds / own_seconds_[i] - 1;
    });
    add("prediction", [this, plan](benchmark::State& state) {
      time(state, [&] {
        Tape tape(backend_, arena_, Tape::Recording::off);
        source_.weights(tape, plan);
      });
    });
  }

 private:
  nas::Task task() const { return {.image_size = options_.image}; }

  void time_own_step(benchmark::State& state, const nas::NetworkPlan& plan, double& seconds) {
    const Arena::Frame frame(arena_);
    nas::NetworkTrainer trainer(backend_, arena_, plan, images_, {}, {.batch = options_.batch});
    seconds = time(state, [&] { trainer.train_step(batch_.x, batch_.y, 0.01f); });
  }

  // Mean seconds of a step, each in a frame of its own.
  template <typename Step>
  double time(benchmark::State& state, const Step& step) {
    auto framed = [&] {
      const Arena::Frame frame(arena_);
      step();
    };
    framed();
    return bench::measure(state, backend_, framed) / static_cast<double>(state.iterations());
  }

  Options options_;
  Backend& backend_;
  Arena arena_;
  nas::SearchSpace space_;
  nas::HyperNetwork source_;
  data::DeviceImages images_;
  nas::HyperTrainer hyper_;
  bench::RandomBatch batch_;
  std::vector<double> own_seconds_;  // by network
};

void run(int argc, char** argv) {
  Options options;
  CLI::App app("Times what predicting kernels costs.");
  bench::declare(app, options);
  app.add_option("--space", options.space);
  app.add_option("--networks", options.networks)->check(CLI::Range(1, 10000));
  app.add_option("--batch", options.batch)->check(CLI::Range(2, 4096));
  app.add_option("--image", options.image)->check(CLI::Range(4, 512));
  app.add_option("--seed", options.seed);
  if (!bench::initialize(app, argc, argv)) return;

  const std::unique_ptr<Backend> backend = bench::open(options);
  PredictionBench prediction(options, *backend);
  prediction.report();
  for (std::int64_t i = 0; i < options.networks; ++i) prediction.add_cases(static_cast<std::size_t>(i));
  bench::run_cases({backend.get()});
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, run); }
