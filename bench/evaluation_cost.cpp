// What evaluating an architecture costs, method by method: time, bytes, floating-point operations, and how
// far each is from what the device could do.
//
//   evaluation_cost ARCHITECTURE.json [--device D] [--batch N] [--image PIXELS] [--classes N]
//                   [--threads N] [--precision P] [--engine E] [--by-shape] [--json FILE]
//
// Two tables, of one evaluation and of one training step. The device's ceilings are measured first
// (bench/ceilings.h). A method's limit is the longer of bytes / bandwidth and operations / peak; `of limit`
// is that over its time. `undisturbed` is the step as it is run, replayed where the device records steps; and
// the same with each kernel launched by itself.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/common/main.h"
#include "bench/ceilings.h"
#include "bench/network_bench.h"

namespace {

using namespace adwp;
using Json = nlohmann::ordered_json;

struct StepSeconds {
  double replayed = 0, launched = 0;
};

Json report(const char* title, const Profile& profile, const StepSeconds& seconds, int steps,
            const bench::Ceilings& ceilings) {
  std::vector<std::pair<std::string, Profile::Row>> rows(profile.rows.begin(), profile.rows.end());
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  Profile::Row all;
  for (const auto& [name, row] : rows) all.seconds += row.seconds;
  fmt::print("\n{}: {:.3f} ms undisturbed, {:.3f} ms launched one by one, {:.3f} ms method by method\n",
             title, seconds.replayed * 1e3, seconds.launched * 1e3, all.seconds / steps * 1e3);
  fmt::print("{:<52} {:>6} {:>9} {:>6} {:>8} {:>9} {:>9}\n", "method", "calls", "ms", "share", "GB/s",
             "GFLOP/s", "of limit");
  Json methods = Json::array();
  for (const auto& [name, row] : rows) {
    const double limit = ceilings.limit(row.bytes, row.flops);
    fmt::print("{:<52} {:>6} {:>9.4f} {:>5.1f}% {:>8.2f} {:>9.2f} {:>8.0f}%\n", name, row.calls / steps,
               row.seconds / steps * 1e3, 100 * row.seconds / all.seconds, row.bytes / row.seconds * 1e-9,
               row.flops / row.seconds * 1e-9, 100 * limit / row.seconds);
    methods.push_back({{"method", name},
                       {"calls", row.calls / steps},
                       {"seconds", row.seconds / steps},
                       {"bytes", row.bytes / steps},
                       {"flops", row.flops / steps},
                       {"of_limit", limit / row.seconds}});
  }
  return {{"seconds", seconds.replayed}, {"launched_seconds", seconds.launched}, {"methods", methods}};
}

void run(int argc, char** argv) {
  bench::NetworkOptions options;
  bool by_shape = false;
  std::string path;
  CLI::App app("What one evaluation and one training step of a network cost, method by method.");
  bench::declare(app, options);
  app.add_flag("--by-shape", by_shape, "One row for each shape of the main operands");
  app.add_option("--json", path, "Write the tables there as well");
  if (!bench::parse(app, argc, argv)) return;

  const std::unique_ptr<Backend> backend = bench::open(options);
  const bench::Ceilings ceilings = bench::measure_ceilings(*backend);
  bench::NetworkBench network(options, *backend);
  fmt::print("device {} ({}): copy {:.1f} GB/s, matrix product {:.1f} GFLOP/s\n", backend->name(),
             backend->description(), ceilings.bandwidth * 1e-9, ceilings.peak * 1e-9);
  fmt::print("architecture {}: {} parameters, {} multiply-accumulates an image; batch {} of {} x {}\n",
             network.plan().architecture.id(), network.plan().parameters(), network.plan().macs(),
             options.batch, options.image, options.image);
  Json json{{"device", backend->description()},
            {"bandwidth", ceilings.bandwidth},
            {"peak", ceilings.peak},
            {"batch", options.batch},
            {"params", network.plan().parameters()},
            {"macs", network.plan().macs()}};
  const int steps = backend->name() == "emulated" ? 1 : 20;
  for (const bool training : {false, true}) {
    auto step = [&] { training ? network.train() : network.evaluate(); };
    auto measured = [&](bool eager) {
      network.set_eager(eager);
      network.time(2, step);
      return bench::median(network.time(steps, step));
    };
    const StepSeconds seconds{measured(false), measured(true)};
    Profile profile{.by_shape = by_shape};
    backend->attach(&profile);
    network.time(steps, step);
    backend->attach(nullptr);
    json[training ? "training_step" : "evaluation"] =
        report(training ? "training step" : "evaluation", profile, seconds, steps, ceilings);
  }
  for (const std::string& note : backend->notes()) fmt::print("{}\n", note);
  json["notes"] = backend->notes();
  if (!path.empty()) io::write_atomically(path, json.dump(1) + "\n");
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, run); }
