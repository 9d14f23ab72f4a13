// One training step and one evaluation of a network, on a batch of random images: the cases `train` and
// `evaluate`.
//
//   network_step ARCHITECTURE.json [--device D] [--batch N] [--image PIXELS] [--classes N] [--threads N]
//                [--precision P] [--engine E] [--eager] [--dump FILE] [--benchmark_...]
//
// bench/peers/pytorch_step.py runs it in turns with PyTorch. --eager launches each kernel by itself, even
// where the device replays steps. --dump writes the weights, running statistics, the images and the logits as
// safetensors.
#include "apps/common/main.h"
#include "bench/network_bench.h"

namespace {

using namespace adwp;

void run(int argc, char** argv) {
  bench::NetworkOptions options;
  std::string dump;
  bool eager = false;
  CLI::App app("Times one training step and one evaluation of a network.");
  bench::declare(app, options);
  app.add_option("--dump", dump);
  app.add_flag("--eager", eager);
  if (!bench::initialize(app, argc, argv)) return;

  const std::unique_ptr<Backend> backend = bench::open(options);
  bench::NetworkBench network(options, *backend);
  network.set_eager(eager);
  network.warm_up();
  if (!dump.empty()) network.dump(dump);
  network.report();
  auto add = [&](const char* name, std::function<void()> step) {
    bench::add_case(name, [&backend, step](benchmark::State& state) {
      bench::measure(state, *backend, step);
    })->Unit(benchmark::kMillisecond);
  };
  add("train", [&] { network.train(); });
  add("evaluate", [&] { network.evaluate(); });
  bench::run_cases({backend.get()});
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, run); }
