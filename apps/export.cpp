// Hands a trained network on: as ONNX, safetensors, PyTorch source, Graphviz text or an SVG drawing.
#include <fmt/core.h>

#include "apps/common/devices.h"
#include "apps/common/main.h"
#include "apps/common/run_directory.h"
#include "apps/common/settings.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "nas/export/export.h"
#include "nas/network/inference.h"

namespace {

using namespace adwp;

struct Options {
  std::string network, architecture, format, out;
  std::int64_t image = 32, classes = 10;
  std::uint64_t seed = 0;
  bool raw = false;
};

void declare(apps::Settings& settings, Options& o) {
  settings.group("What");
  settings.argument(o.network, "RUN_DIR|CHECKPOINT",
                    "A run of train, one of its checkpoints, or a safetensors file of this program");
  settings.flag("raw", o.raw,
                "Take the weights of the last step where a checkpoint also holds averages of them");
  settings.text("format", o.format, "FORMAT", "onnx, safetensors, pytorch, dot or svg",
                apps::Settings::Presence::required);
  settings.text("out", o.out, "FILE", "Where to write; a file there is replaced once the new one is whole",
                apps::Settings::Presence::required);
  settings.group("Without a trained network: random weights, to try a tool chain with");
  settings.text("architecture", o.architecture, "FILE", "The network, as best.json of a search");
  settings.integer("image", o.image, "Height and width of its images", 1, 4096);
  settings.integer("classes", o.classes, "Its classes", 1, 10'000);
  settings.integer("seed", o.seed, "Seed of its weights", 0, 1'000'000'000);
}

nas::StoredNetwork open_network(const Options& o) {
  if (o.network.empty() == o.architecture.empty()) {
    fail_usage("export", "got {}, expected either a trained network or --architecture; see export --help",
               o.network.empty() ? "nothing to export" : "both");
  }
  if (!o.network.empty())
    return nas::StoredNetwork::from(
        apps::trained_network(o.network),
        o.raw ? nas::StoredNetwork::Weights::raw : nas::StoredNetwork::Weights::best);
  const auto architecture = nas::Architecture::from_file(o.architecture);
  const nas::NetworkPlan plan = nas::plan_network(architecture, {o.image, 3, o.classes});
  if (o.format == "dot" || o.format == "svg") return {plan, {}, {}, {}};  // drawn without weights
  return nas::random_network(*apps::devices().open("auto"), plan, o.seed);
}

void run_export(int argc, char** argv) {
  Options options;
  apps::Settings settings("export", "Hands a trained network on to other tools.");
  declare(settings, options);
  if (!settings.parse(argc, argv)) return;
  const std::string& format = options.format;
  if (format != "onnx" && format != "safetensors" && format != "pytorch" && format != "dot" &&
      format != "svg") {
    fail_usage("options", "unknown --format, got '{}', expected one of: onnx, safetensors, pytorch, dot, svg",
               format);
  }
  const nas::StoredNetwork network = open_network(options);
  if (format == "safetensors") {
    network.save(options.out);
  } else {
    io::write_atomically(options.out, format == "onnx"      ? nas::to_onnx(network)
                                      : format == "pytorch" ? nas::to_pytorch(network)
                                      : format == "dot"     ? nas::to_dot(network.plan)
                                                            : nas::to_svg(network.plan));
  }
  fmt::print("{} {}: {} parameters, {} classes, images of {} pixels\n", format, options.out,
             network.plan.parameters(), network.plan.task.classes, network.plan.task.image_size);
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, run_export); }
