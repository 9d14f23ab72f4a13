// What evaluating an architecture costs, method by method: time, bytes, floating-point operations, and how
// far each is from what the device could do.
//
//   evaluation_cost ARCHITECTURE.json [--device D] [--batch N] [--image PIXELS] [--classes N] [--threads N]
//                   [--precision P] [--engine E] [--by-shape] [--steps N] [--benchmark_...]
//
// Cases, for one evaluation and for one training step (`evaluation/...`, `training_step/...`):
//   undisturbed   the step as it is run, replayed where the device records steps
//   launched      the same with each kernel launched by itself
//   METHOD        that method's share of a step in which every operator is timed separately; `calls` in a
//   step
// The device's ceilings are measured first (bench/ceilings.h); `of_limit` is the least time that they allow a
// method over its time.
#include "apps/common/main.h"
#include "bench/network_bench.h"

namespace {

using namespace adwp;

// One kind of step of a network, timed as a whole and method by method.
class StepCost {
 public:
  StepCost(Backend& backend, bench::NetworkBench& network, const bench::Ceilings& ceilings, std::string name,
           std::function<void()> step, bool by_shape)
      : backend_(backend),
        network_(network),
        ceilings_(ceilings),
        name_(std::move(name)),
        step_(std::move(step)),
        by_shape_(by_shape) {}

  void add_cases(std::int64_t steps) {
    for (const bool launched : {false, true}) {
      bench::add_case(name_ + (launched ? "/launched" : "/undisturbed"), [=, this](benchmark::State& state) {
        network_.set_eager(launched);
        bench::measure(state, backend_, step_);
        network_.set_eager(false);
      })->Unit(benchmark::kMillisecond);
    }
    for (const auto& [method, row] : profile(0).rows) {
      // Every case reads the same profiled steps, each from the first on.
      bench::add_case(name_ + "/" + method,
                      [this, method, next = std::size_t{0}](benchmark::State& state) mutable {
                        time(state, method, next);
                      })
          ->Iterations(steps)
          ->Unit(benchmark::kMillisecond);
    }
  }

 private:
  void time(benchmark::State& state, const std::string& method, std::size_t& next) {
    Profile::Row sum;
    for ([[maybe_unused]] auto iteration : state) {
      const Profile::Row& row = profile(next++).rows.at(method);
      state.SetIterationTime(row.seconds);
      sum.seconds += row.seconds;
    }
    const Profile::Row& once = profile(0).rows.at(method);
    bench::count_work(state, ceilings_, once.bytes, once.flops, sum.seconds);
    state.counters["calls"] = static_cast<double>(once.calls);
  }

  // The step number `i` in which every operator is timed separately.
  const Profile& profile(std::size_t i) {
    while (profiles_.size() <= i) {
      Profile profile{.by_shape = by_shape_};
      backend_.attach(&profile);
      step_();
      backend_.attach(nullptr);
      profiles_.push_back(std::move(profile));
    }
    return profiles_[i];
  }

  Backend& backend_;
  bench::NetworkBench& network_;
  const bench::Ceilings& ceilings_;
  std::string name_;
  std::function<void()> step_;
  bool by_shape_;
  std::vector<Profile> profiles_;
};

void run(int argc, char** argv) {
  bench::NetworkOptions options;
  bool by_shape = false;
  std::int64_t steps = 20;
  CLI::App app("What one evaluation and one training step of a network cost, method by method.");
  bench::declare(app, options);
  app.add_flag("--by-shape", by_shape, "One case for each shape of the main operands");
  app.add_option("--steps", steps, "Steps in which methods are timed")->check(CLI::Range(1, 1000));
  if (!bench::initialize(app, argc, argv)) return;

  const std::unique_ptr<Backend> backend = bench::open(options);
  const bench::Ceilings ceilings = bench::measure_ceilings(*backend);
  bench::NetworkBench network(options, *backend);
  network.warm_up();
  network.report();
  bench::report_ceilings(ceilings);
  StepCost evaluation(
      *backend, network, ceilings, "evaluation", [&] { network.evaluate(); }, by_shape);
  StepCost training(
      *backend, network, ceilings, "training_step", [&] { network.train(); }, by_shape);
  evaluation.add_cases(steps);
  training.add_cases(steps);
  bench::run_cases({backend.get()});
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, run); }
