// Says what a trained network sees in images.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/common/devices.h"
#include "apps/common/main.h"
#include "apps/common/run_directory.h"
#include "apps/common/settings.h"
#include "apps/common/terminal.h"
#include "data/data_set.h"
#include "data/image_file.h"
#include "framework/core/error.h"
#include "nas/network/inference.h"

namespace {

using namespace adwp;

struct Options {
  std::string network, device = "auto";
  std::vector<std::string> images;
  std::int64_t batch = 100;
  std::uint64_t top = 5;
  int threads = 0;
  bool raw = false, test_flip = false, json = false, as_stored = false;
};

void declare(apps::Settings& settings, Options& o) {
  settings.argument(o.network, "RUN_DIR|CHECKPOINT",
                    "A run of train, one of its checkpoints, or a safetensors file of export",
                    apps::Settings::Presence::required);
  settings.arguments(o.images, "IMAGE",
                     "PNG, JPEG, WebP, BMP or GIF files; brought to the network's size, as data sets are");
  settings.integer("top", o.top, "Classes per image", 1, 10'000);
  settings.flag("raw", o.raw,
                "Take the weights of the last step where a checkpoint also holds averages of them");
  settings.flag("test-flip", o.test_flip, "Average the logits of each image and of its mirror");
  settings.flag("json", o.json, "Print JSON, with all logits");
  settings.flag("exif-ignore", o.as_stored, "Take pictures as they are stored, not as EXIF says they stand");
  settings.text("device", o.device, "DEVICE", "auto, or a device that --version lists");
  settings.integer("threads", o.threads, "Threads of the CPU device; 0: one per core", 0, 1024);
  settings.integer("batch", o.batch, "Images at a time", 1, 65536);
}

struct Pictures {
  data::ImageSet set;
  std::vector<std::string> paths;   // of its images
  std::vector<std::string> faults;  // of the files that cannot be read
};

Pictures read_pictures(const Options& options, const nas::Task& task) {
  if (task.channels != 1 && task.channels != 3) {
    fail("classify", "the network takes {} channels, expected 1 or 3", task.channels);
  }
  const auto orientation = options.as_stored ? data::Orientation::ignore : data::Orientation::apply;
  Pictures pictures{{task.image_size, task.image_size, task.channels, {}, {}}, {}, {}};
  for (const std::string& path : options.images) {
    try {
      const auto pixels = data::read_image(path, task.channels, task.image_size, orientation);
      pictures.set.pixels.insert(pictures.set.pixels.end(), pixels.begin(), pixels.end());
      pictures.set.labels.push_back(0);
      pictures.paths.push_back(path);
    } catch (const Error& error) {
      pictures.faults.emplace_back(error.what());
    }
  }
  return pictures;
}

// What the network says about one image.
struct Answer {
  struct Guess {
    std::string name;
    double probability = 0;
  };
  std::string image;
  std::vector<Guess> guesses;  // most probable first
  std::vector<float> logits;   // in the order of the classes
};

// `logits` (images, classes). At most `top` guesses per image.
std::vector<Answer> answers_of(const std::vector<std::string>& images, const std::vector<float>& logits,
                               const std::vector<std::string>& classes, std::size_t top) {
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::span<const float> row(logits.data() + i * classes.size(), classes.size());
    const std::vector<double> probabilities = nas::Inference::softmax(row);
    std::vector<std::size_t> order(classes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
    order.resize(std::min(top, order.size()));
    Answer answer{images[i], {}, {row.begin(), row.end()}};
    for (std::size_t c : order) answer.guesses.push_back({classes[c], probabilities[c]});
    answers.push_back(std::move(answer));
  }
  return answers;
}

std::string table_of(const std::vector<Answer>& answers) {
  using apps::Table;
  Table table({{"image", Table::Align::left}, {"class", Table::Align::left}, {"probability"}});
  for (const Answer& answer : answers) {
    std::string image = answer.image;
    for (const Answer::Guess& guess : answer.guesses) {
      table.row({std::exchange(image, ""), guess.name, fmt::format("{:.4f}", guess.probability)});
    }
  }
  return table.text();
}

// [{"image", "classes": [{"name", "probability"}], "logits": []}]
std::string json_of(const std::vector<Answer>& answers) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const Answer& answer : answers) {
    Json classes = Json::array();
    for (const Answer::Guess& guess : answer.guesses) {
      classes.push_back({{"name", guess.name}, {"probability", guess.probability}});
    }
    list.push_back({{"image", answer.image}, {"classes", classes}, {"logits", answer.logits}});
  }
  return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // paths need not be UTF-8
}

// The good files have their answers; the bad ones are named, the last as what the program ends with.
void report(const Pictures& pictures) {
  if (pictures.faults.empty()) return;
  for (std::size_t i = 0; i + 1 < pictures.faults.size(); ++i) {
    fmt::print(stderr, "error: {}\n", pictures.faults[i]);
  }
  const std::string_view where = "[data] ";
  std::string last = pictures.faults.back();
  if (last.starts_with(where)) last.erase(0, where.size());
  fail("data", "{}", last);
}

void classify(int argc, char** argv) {
  Options options;
  apps::Settings settings("classify", "Says what a trained network sees in images.");
  declare(settings, options);
  if (!settings.parse(argc, argv)) return;
  const auto network = nas::StoredNetwork::from(
      apps::trained_network(options.network),
      options.raw ? nas::StoredNetwork::Weights::raw : nas::StoredNetwork::Weights::best);
  const Pictures pictures = read_pictures(options, network.plan.task);
  if (!pictures.paths.empty()) {
    const std::unique_ptr<Backend> backend = apps::devices(options.threads).open(options.device);
    nas::Inference inference(*backend, network, std::min(options.batch, pictures.set.count()));
    const std::vector<float> logits =
        inference.logits(pictures.set, options.test_flip ? nas::Inference::Views::mirrored_too
                                                         : nas::Inference::Views::images);
    const std::vector<Answer> answers = answers_of(pictures.paths, logits, network.classes, options.top);
    fmt::print("{}", options.json ? json_of(answers) : table_of(answers));
  }
  report(pictures);
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, classify); }
