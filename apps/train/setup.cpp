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
  settings.text("teacher", o.teacher, "RUN_DIR|CHECKPOINT",
                "Learn from this trained network too: a run of train on the same classes and image size");
  settings.group("Training");
  settings.integer("micro-batches", o.micro_batches,
                   "Equal parts of a batch, each with its own statistics in batch norm; ranks (mpirun) share "
                   "them",
                   1, 65536);
  settings.integer("evaluation-batch", o.evaluation_batch, "Images per evaluation batch", 1, 65536);
  declare(settings, o.recipe, o.batch);
}

TrainSetup::TrainSetup(Backend& device, const TrainOptions& given, Progress& progress)
    : backend(device),
      options(given),
      spec(data::parse_data_spec(options.data)),
      data(data::load_training_data(spec, options.seed, options.validation, reading_on(progress))),
      plan(read_plan(options.architecture, data)) {
  open_teacher();
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

void TrainSetup::open_teacher() {
  if (options.teacher.empty()) return;
  io::StoredCheckpoint checkpoint = trained_network(options.teacher);
  io::seal(checkpoint.file);
  teacher_checksum_ = checkpoint.file.metadata.at("checksum");
  auto network = std::make_shared<nas::StoredNetwork>(nas::StoredNetwork::from(std::move(checkpoint)));
  if (network->classes != data.classes) {
    fail_usage("teacher", "{} knows other classes, got {}, expected the {} of {}, by name and order",
               options.teacher, network->classes.size(), data.classes.size(), data.name);
  }
  teacher = std::move(network);
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
  nas::NetworkTrainingOptions training = options.recipe.training();
  training.batch = options.batch;
  training.micro_batches = options.micro_batches;
  training.augmentation = options.augmentation(spec, data.train.height, options.recipe.cutout);
  training.progressive = options.recipe.stages(data.train.height);
  training.sampling = options.sampling();
  training.seed = options.seed;
  training.teacher = teacher;
  return training;
}

std::vector<std::pair<std::string, std::string>> TrainSetup::found() const {
  std::vector<std::pair<std::string, std::string>> facts{{"device", bits_name(backend)},
                                                         {"data", data::fingerprint(data)},
                                                         {"architecture", plan.architecture.id()},
                                                         augmentation_fact(training().augmentation)};
  if (teacher) facts.emplace_back("teacher", teacher_checksum_);
  return facts;
}

}  // namespace adwp::apps
