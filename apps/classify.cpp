// Says what a trained network sees in images.
#include "apps/classify/answers.h"
#include "apps/common/devices.h"
#include "apps/common/main.h"
#include "apps/common/settings.h"
#include "apps/common/trained_run.h"
#include "data/image_file.h"
#include "framework/core/error.h"
#include "nas/network/inference.h"

namespace {

using namespace adwp;

struct Options {
  std::string network, device = "auto";
  std::vector<std::string> images;
  std::int64_t top = 5, batch = 100, threads = 0;
  bool json = false;
};

void declare(apps::Settings& settings, Options& o) {
  settings.argument(o.network, "RUN_DIR|CHECKPOINT",
                    "A run of train, one of its checkpoints, or a safetensors file of export",
                    apps::Settings::Presence::required);
  settings.arguments(o.images, "IMAGE", "PNG or JPEG files; brought to the network's size, as data sets are");
  settings.integer("top", o.top, "Classes an image", 1, 10'000);
  settings.flag("json", o.json, "Print JSON, with all logits");
  settings.text("device", o.device, "DEVICE", "auto, or a device that --version lists");
  settings.integer("threads", o.threads, "Threads of the CPU device; 0: one a core", 0, 1024);
  settings.integer("batch", o.batch, "Images at a time", 1, 65536);
}

data::ImageSet read_images(const std::vector<std::string>& paths, const nas::Task& task) {
  if (task.channels != 1 && task.channels != 3) {
    fail("classify", "the network takes {} channels, expected 1 or 3", task.channels);
  }
  data::ImageSet set{task.image_size, task.image_size, task.channels, {}, {}};
  for (const std::string& path : paths) {
    const auto pixels = data::read_image(path, static_cast<int>(task.channels), task.image_size);
    set.pixels.insert(set.pixels.end(), pixels.begin(), pixels.end());
  }
  set.labels.assign(paths.size(), 0);
  return set;
}

void classify(int argc, char** argv) {
  Options options;
  apps::Settings settings("classify", "Says what a trained network sees in images.");
  declare(settings, options);
  if (!settings.parse(argc, argv)) return;
  const auto network = nas::StoredNetwork::from(apps::trained_network(options.network));
  const data::ImageSet images = read_images(options.images, network.plan.task);
  const std::unique_ptr<Backend> backend =
      apps::devices(static_cast<int>(options.threads)).open(options.device);
  nas::Inference inference(*backend, network, std::min(options.batch, images.count()));
  const std::vector<float> logits = inference.logits(images);
  const std::vector<apps::Answer> answers =
      apps::answers_of(options.images, logits, network.classes, static_cast<std::size_t>(options.top));
  fmt::print("{}", options.json ? apps::json_of(answers) : apps::table_of(answers));
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, classify); }
