// One training step and one evaluation of a network, timed on request.
//
//   network_step ARCHITECTURE.json [--device D] [--batch N] [--image PIXELS] [--classes N]
//                [--threads N] [--precision P] [--engine E] [--eager] [--dump FILE]
//
// Reads commands from stdin, one a line, and answers each with a line of JSON: `train N` and
// `evaluate N` run N repetitions and give their seconds; `quit` ends. A peer can so be measured in
// turns with this program (bench/peers/pytorch_step.py). --eager launches each kernel by itself, even where
// the device replays steps. --dump writes the weights, running statistics, a batch of images and the logits
// as safetensors.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

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
  if (!bench::parse(app, argc, argv)) return;

  const std::unique_ptr<Backend> backend = bench::open(options);
  bench::NetworkBench network(options, *backend);
  network.set_eager(eager);
  network.time(2, [&] { network.train(); });
  if (!dump.empty()) network.dump(dump);
  fmt::print("{}\n", nlohmann::json{{"device", backend->description()},
                                    {"params", network.plan().parameters()},
                                    {"macs", network.plan().macs()}}
                         .dump());
  std::fflush(stdout);
  std::string command;
  for (int repetitions = 0; std::cin >> command && command != "quit";) {
    std::cin >> repetitions;
    const std::vector<double> seconds = command == "train"
                                            ? network.time(repetitions, [&] { network.train(); })
                                            : network.time(repetitions, [&] { network.evaluate(); });
    fmt::print("{}\n", nlohmann::json(seconds).dump());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, run); }
