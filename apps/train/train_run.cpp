#include "apps/train/train_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "apps/common/devices.h"
#include "apps/common/event_file.h"
#include "apps/common/interrupt.h"
#include "apps/common/last_good.h"
#include "apps/report/report.h"
#include "apps/report/test_outcome.h"
#include "data/test_split.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/checkpoint.h"
#include "framework/version.h"
#include "nas/network/inference.h"
#include "nas/network/stored_network.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

nas::NetworkPlan read_plan(const std::string& path, const data::TrainingData& data) {
  const nas::Task task{data.train.height, data.train.channels,
                       static_cast<std::int64_t>(data.classes.size())};
  return nas::plan_network(nas::Architecture::from_json(io::read_text(path, 1 << 20)), task);
}

// What stands in the progress line; no score before the first evaluation.
std::string note(double loss, const nas::Score& score) {
  const std::string text = fmt::format("loss {:.3f}", loss);
  return score.loss > 0 ? text + fmt::format(", validation accuracy {:.4f}", score.accuracy) : text;
}

}  // namespace

void declare(Settings& settings, TrainOptions& o) {
  declare_run(settings, o, 0.001);
  settings.text("architecture", o.architecture, "FILE", "The network, as best.json of a search",
                Settings::Presence::required);
  settings.group("Training");
  settings.choice("recipe", o.recipe,
                  "standard: SGD with Nesterov momentum, cosine schedule, crop and flip; strong: "
                  "the same with cutout and label smoothing, for long runs",
                  {"standard", "strong"});
  settings.integer("epochs", o.epochs, "Epochs", 1, 100'000);
  settings.integer("batch", o.batch, "Images a step", 1, 65536);
  settings.real("lr", o.lr, "Peak learning rate", 1e-6, 10);
  settings.integer("evaluation-batch", o.evaluation_batch, "Images an evaluation batch", 1, 65536);
}

TrainRun::TrainRun(Backend& backend, const TrainOptions& options, const RunDirectory& directory)
    : backend_(backend),
      options_(options),
      directory_(directory),
      progress_(options.quiet),
      log_(directory.log()),
      spec_(data::parse_data_spec(options.data)),
      data_(data::load_training_data(spec_, options.seed, options.validation)),
      plan_(read_plan(options.architecture, data_)) {
  data::require_test_split(spec_);
  if (options.tensorboard) EventFile::require_supported();
  Arena counting = Arena::counting(backend);
  auto reserve = [&](const data::ImageSet& set) {
    return data::DeviceImages::reserve(counting, set.count(), set.height, set.width, set.channels);
  };
  const data::DeviceImages train = reserve(data_.train), validation = reserve(data_.validation);
  nas::NetworkTrainer::dry_run(backend, counting, plan_, train, data_.norm, training_options(),
                               options.evaluation_batch);
  const std::size_t need = counting.peak() + counting.peak() / 16;
  const std::size_t size = options.arena_mb > 0 ? static_cast<std::size_t>(options.arena_mb) << 20 : need;
  progress_.say(fmt::format(
      "{}: {} training and {} validation images; architecture {}: {} parameters, {} "
      "multiply-accumulates; device {} ({}); arena {} MiB, {} measured",
      data_.name, data_.train.count(), data_.validation.count(), plan_.architecture.id(), plan_.parameters(),
      plan_.macs(), backend.name(), backend.description(), size >> 20, need >> 20));
  if (size < need) {
    fail_usage("arena", "too small, got --arena-mb {}, expected at least {}; or lower --batch",
               options.arena_mb, (need >> 20) + 1);
  }
  arena_ = std::make_unique<Arena>(backend, size);
}

nas::NetworkTrainingOptions TrainRun::training_options() const {
  const std::int64_t pixels = data_.train.height;
  nas::NetworkTrainingOptions training{.epochs = options_.epochs,
                                       .batch = options_.batch,
                                       .learning_rate = static_cast<float>(options_.lr),
                                       .augmentation = {.shift = pixels / 8, .flip = true},
                                       .seed = options_.seed};
  if (options_.recipe == "strong") {
    training.augmentation.cutout = pixels / 2;
    training.label_smoothing = 0.1f;
  }
  return training;
}

std::vector<std::pair<std::string, std::string>> TrainRun::found() const {
  return {{"device", full_name(backend_)},
          {"data", data::fingerprint(data_)},
          {"architecture", plan_.architecture.id()}};
}

void TrainRun::run() {
  const data::DeviceImages train = data::DeviceImages::upload(*arena_, data_.train);
  const data::DeviceImages validation = data::DeviceImages::upload(*arena_, data_.validation);
  nas::NetworkTrainer trainer(backend_, *arena_, plan_, train, data_.norm, training_options());
  const io::CheckpointPair checkpoints((directory_.checkpoints() / "network.safetensors").string(),
                                       trainer.weights().parameters(), &trainer.optimizer(),
                                       {{"running_statistics", trainer.statistics().flat()}});
  std::optional<EventFile> events;
  if (options_.tensorboard) events.emplace(directory_.tensorboard());
  std::int64_t first = 0;
  nas::EpochPosition from;
  double loss = 0;
  std::size_t peak = 0;  // of the arena, in this process and those before
  nas::Score score;
  const auto report_damage = [&](const std::string& what) {
    progress_.say(what);
    log_.write("checkpoint", {{"damaged", what}});
  };
  if (const auto facts = checkpoints.load({}, report_damage)) {
    first = std::stoll(facts->at("epochs"));
    loss = std::stod(facts->at("loss"));
    peak = std::stoull(facts->at("arena_peak"));
    from = nas::EpochPosition::read(*facts);
    progress_.say(fmt::format("resumed after {}", from.after(first)));
    score = trainer.evaluate(validation, options_.evaluation_batch);
  }
  // What a checkpoint says after `epochs` whole ones.
  const auto state = [&](std::int64_t epochs) {
    peak = std::max(peak, arena_->peak());
    io::CheckpointPair::Facts facts = nas::network_facts(plan_, data_.norm, data_.classes);
    facts.insert({{"epochs", std::to_string(epochs)},
                  {"loss", fmt::format("{}", loss)},
                  {"arena_peak", std::to_string(peak)}});
    return facts;
  };
  const std::int64_t per_epoch = trainer.steps_per_epoch();
  const std::int64_t batches_before = first * per_epoch + from.batches;
  const auto start = Clock::now();
  progress_.begin("train", static_cast<double>(options_.epochs), "epochs",
                  static_cast<double>(batches_before) / static_cast<double>(per_epoch));
  for (std::int64_t epoch = first; epoch < options_.epochs; ++epoch) {
    const auto between_batches = [&](double fraction) {
      const std::optional<double> so_far = trainer.loss_so_far();
      progress_.update(static_cast<double>(epoch) + fraction, so_far ? note(*so_far, score) : std::string());
      if (!interrupted()) return;
      io::CheckpointPair::Facts facts = state(epoch);
      trainer.position().write(facts);
      checkpoints.save_interrupted(facts);
      stop_if_interrupted("train", directory_.config());
    };
    or_last_good(checkpoints, "--lr", [&] {
      loss = trainer.run_epoch(epoch, between_batches, std::exchange(from, {}));
      score = trainer.evaluate(validation, options_.evaluation_batch);
    });
    if (events) {
      events->write(epoch + 1, {{"train/loss", loss},
                                {"train/learning_rate", trainer.learning_rate((epoch + 1) * per_epoch - 1)},
                                {"validation/loss", score.loss},
                                {"validation/accuracy", score.accuracy}});
    }
    // Before the checkpoint: an epoch that is not done again must stand in the log.
    log_.write("train", {{"epoch", epoch + 1},
                         {"loss", loss},
                         {"validation_loss", score.loss},
                         {"validation_accuracy", score.accuracy}});
    checkpoints.save(state(epoch + 1));
    progress_.milestone(static_cast<double>(epoch + 1), note(loss, score));
  }
  progress_.end();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double images = static_cast<double>((options_.epochs * per_epoch - batches_before) * options_.batch);

  const data::ImageSet test = data::load_test_split(spec_, data_.classes);
  // In an arena of their own: the one of training was sized without them.
  const std::size_t test_bytes = test.pixels.size() + test.labels.size() * 8 + 4096;
  Arena test_arena(backend_, test_bytes);
  const data::DeviceImages test_images = data::DeviceImages::upload(test_arena, test);
  const nas::Score test_score = trainer.evaluate(test_images, options_.evaluation_batch);
  write_test_outcome(test);
  for (const std::string& note : backend_.notes()) log_.write("device", {{"note", note}});

  result_["version"] = version;
  result_["device"] = full_name(backend_);
  result_["dataset"] = {{"name", data_.name},
                        {"train", data_.train.count()},
                        {"validation", data_.validation.count()},
                        {"test", test.count()},
                        {"classes", data_.classes.size()},
                        {"image", {test.height, test.width, test.channels}}};
  result_["seed"] = options_.seed;
  result_["architecture"] = Json::parse(plan_.architecture.to_json());
  result_["params"] = plan_.parameters();
  result_["macs"] = plan_.macs();
  result_["epochs"] = options_.epochs;
  result_["seconds"] = seconds;
  result_["images_per_second"] = seconds > 0 ? images / seconds : 0;
  result_["train_loss"] = loss;
  result_["validation_accuracy"] = score.accuracy;
  result_["test_accuracy"] = test_score.accuracy;
  result_["test_error"] = 1.0 - test_score.accuracy;
  result_["arena"] = {{"bytes", arena_->size()}, {"peak_bytes", std::max(peak, arena_->peak())}};
  io::write_atomically(directory_.result().string(), result_.dump(2) + "\n");
  write_report(directory_.path());
}

void TrainRun::write_test_outcome(const data::ImageSet& test) const {
  const std::string checkpoint = (directory_.checkpoints() / "network.safetensors").string();
  nas::Inference inference(backend_, nas::StoredNetwork::load(checkpoint),
                           std::min(options_.evaluation_batch, test.count()));
  const Json outcome = test_outcome(test, inference.logits(test), data_.classes);
  // Names of folders need not be UTF-8.
  io::write_atomically((directory_.path() / "test.json").string(),
                       outcome.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string TrainRun::summary() const {
  return fmt::format(
      "test accuracy {:.4f} after {} epochs ({:.0f} images a second)\nresult     {}\nreport     {}\n"
      "checkpoint {}\n",
      result_["test_accuracy"].get<double>(), options_.epochs, result_["images_per_second"].get<double>(),
      directory_.result().string(), directory_.report().string(),
      (directory_.checkpoints() / "network.safetensors").string());
}

}  // namespace adwp::apps
