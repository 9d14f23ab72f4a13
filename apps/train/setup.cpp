#include "apps/train/train_run.h"

#include <fmt/core.h>

#include "apps/common/devices.h"
#include "apps/common/event_file.h"
#include "framework/core/error.h"

namespace adwp::apps {
namespace {

nas::NetworkPlan read_plan(const std::string& path, const data::TrainingData& data) {
  const nas::Task task{data.train.height, data.train.channels, std::ssize(data.classes)};
  return nas::plan_network(nas::Architecture::from_file(path), task);
}

}  // namespace

void declare(Settings& settings, TrainOptions& o) {
  declare_run(settings, o, 0.001);
  settings.text("architecture", o.architecture, "FILE", "The network, e.g. best.json of a search",
                Settings::Presence::required);
  settings.group("Training");
  settings.choice("recipe", o.recipe,
                  "standard: SGD with Nesterov momentum, cosine schedule, crop and flip; strong: "
                  "the same with cutout and label smoothing, for long runs",
                  {"standard", "strong"});
  settings.integer("epochs", o.epochs, "Epochs", 1, 100'000);
  settings.integer("batch", o.batch, "Images per step", 1, 65536);
  settings.integer("micro-batches", o.micro_batches,
                   "Equal parts of a batch, each with its own statistics in batch norm; ranks (mpirun) share "
                   "them",
                   1, 65536);
  settings.real("lr", o.lr, "Peak learning rate", 1e-6, 10);
  settings.integer("evaluation-batch", o.evaluation_batch, "Images per evaluation batch", 1, 65536);
}

TrainSetup::TrainSetup(Backend& device, const TrainOptions& given, Progress& progress)
    : backend(device),
      options(given),
      spec(data::parse_data_spec(options.data)),
      data(data::load_training_data(spec, options.seed, options.validation, reading_on(progress))),
      plan(read_plan(options.architecture, data)) {
  test = data::load_test_split(spec, data, reading_on(progress));
  progress.end();
  for (const auto& notes : {data::notes_on(data), data::notes_on(test, std::ssize(data.classes))}) {
    for (const std::string& note : notes) progress.say("data: " + note);
  }
  if (options.batch % options.micro_batches != 0) {
    fail_usage("train", "a batch cannot be cut, got --batch {} and --micro-batches {}, expected a multiple",
               options.batch, options.micro_batches);
  }
  if (options.tensorboard) EventFile::require_supported();
  const std::string run = fmt::format(
      "{}: {} training and {} validation images; architecture {}: {} parameters, {} multiply-accumulates",
      data.name, data.train.count(), data.validation.count(), plan.architecture.id(), plan.parameters(),
      plan.macs());
  arena = measured_arena(backend, {[this](Arena& counting) { lay_out(counting); }, 16, run}, options.arena_mb,
                         [&](const std::string& line) { progress.say(line); });
}

void TrainSetup::lay_out(Arena& counting) const {
  const auto reserve = [&](const data::ImageSet& set) {
    return data::DeviceImages::reserve(counting, set.count(), set.height, set.width, set.channels);
  };
  const data::DeviceImages train = reserve(data.train), validation = reserve(data.validation);
  nas::NetworkTrainer::dry_run(backend, counting, plan, train, data.norm, training(),
                               options.evaluation_batch);
}

nas::NetworkTrainingOptions TrainSetup::training() const {
  const std::int64_t pixels = data.train.height;
  nas::NetworkTrainingOptions training{
      .epochs = options.epochs,
      .batch = options.batch,
      .micro_batches = options.micro_batches,
      .learning_rate = static_cast<float>(options.lr),
      .augmentation = options.augmentation(spec, pixels, options.recipe == "strong"),
      .sampling = options.sampling(),
      .seed = options.seed};
  if (options.recipe == "strong") training.label_smoothing = 0.1f;
  return training;
}

std::vector<std::pair<std::string, std::string>> TrainSetup::found() const {
  return {{"device", bits_name(backend)},
          {"data", data::fingerprint(data)},
          {"architecture", plan.architecture.id()}};
}

}  // namespace adwp::apps
