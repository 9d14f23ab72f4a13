#include "apps/train/train_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/common/main.h"
#include "apps/common/ranks.h"
#include "apps/common/resumable_training.h"
#include "nas/network/stored_network.h"

namespace adwp::apps {
namespace {

using Clock = std::chrono::steady_clock;

// The note of the progress line; it has no score before the first evaluation.
std::string note(std::optional<double> loss, const nas::Score& score) {
  if (!loss) return "";
  const std::string text = fmt::format("loss {:.3f}", *loss);
  return score.loss > 0 ? text + fmt::format(", validation accuracy {:.4f}", score.accuracy) : text;
}

}  // namespace

TrainRun::TrainRun(Backend& backend, const TrainOptions& options, const RunDirectory& directory)
    : directory_(directory), log_(directory.log(), options.quiet), setup_(backend, options, log_.progress) {}

void TrainRun::run(parallel::Group& group) {
  or_end_all(group, [&] { lead(group); });
}

void TrainRun::lead(parallel::Group& group) {
  Arena& arena = *setup_.arena;
  const data::DeviceImages train_images = data::DeviceImages::upload(arena, setup_.data.train);
  const data::DeviceImages validation = data::DeviceImages::upload(arena, setup_.data.validation);
  nas::NetworkTrainer trainer(setup_.backend, arena, setup_.plan, train_images, setup_.data.norm,
                              setup_.training());
  if (setup_.options.tensorboard) log_.events.emplace(directory_.tensorboard());
  trainer.share_with(group, interrupted);
  outcome_.hosts = group.gather(group.host());
  train(group, trainer, validation);
  const data::ImageSet& test = setup_.test.images;
  evaluate_test_split(trainer, test);
  outcome_.arena_peak = std::max(outcome_.arena_peak, arena.peak());
  outcome_.flipped_test = write_test_outcome(setup_, test, directory_);
  for (const std::string& note : setup_.backend.notes()) log_.json.write("device", {{"note", note}});
  write_results(setup_, outcome_, test, directory_);
  group.barrier();
}

void TrainRun::train(parallel::Group& group, nas::NetworkTrainer& trainer,
                     const data::DeviceImages& validation) {
  const TrainOptions& options = setup_.options;
  ResumableTraining training(trainer, log_,
                             {.checkpoint = directory_.network(),
                              .epochs = options.recipe.epochs,
                              .resumed = "resumed",
                              .learning_rate = "--lr"});
  if (training.loaded()) {
    outcome_.loss = std::stod(training.loaded()->at("loss"));
    outcome_.arena_peak = std::stoull(training.loaded()->at("arena_peak"));
    evaluate_validation(trainer, validation);
  }
  const std::int64_t first = training.epochs_done();
  share_start(group, trainer, {first, training.batches_done() - first * trainer.steps_per_epoch()});
  const std::int64_t batches = options.recipe.epochs * trainer.steps_per_epoch() - training.batches_done();
  const auto start = Clock::now();
  Progress& progress = log_.progress;
  progress.begin("train", options.recipe.epochs, "epochs", training.epochs_done());
  training.run(
      {.facts =
           [&] {
             outcome_.arena_peak = std::max(outcome_.arena_peak, setup_.arena->peak());
             auto facts = nas::network_facts(setup_.plan, setup_.data.norm, setup_.data.classes);
             facts["loss"] = fmt::format("{}", outcome_.loss);
             facts["arena_peak"] = std::to_string(outcome_.arena_peak);
             return facts;
           },
       .show = [&](double epochs,
                   std::optional<double> loss) { progress.update(epochs, note(loss, outcome_.validation)); },
       .record =
           [&](std::int64_t epochs, double loss) {
             outcome_.loss = loss;
             evaluate_validation(trainer, validation);
             record(trainer, epochs);
           },
       .saved =
           [&](std::int64_t epochs) { progress.milestone(epochs, note(outcome_.loss, outcome_.validation)); },
       .stop = [&] { return group.alone() ? interrupted() : trainer.stopping(); }});
  progress.end();
  outcome_.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double images = batches * options.batch;
  outcome_.images_per_second = outcome_.seconds > 0 ? images / outcome_.seconds : 0;
}

void TrainRun::evaluate_validation(nas::NetworkTrainer& trainer, const data::DeviceImages& validation) {
  using Which = nas::NetworkTrainer::Which;
  const std::int64_t batch = setup_.options.evaluation_batch;
  outcome_.validation = trainer.evaluate(validation, batch);
  if (trainer.best() == Which::averaged) {
    outcome_.raw_validation = trainer.evaluate(validation, batch, Which::raw);
  }
}

void TrainRun::record(const nas::NetworkTrainer& trainer, std::int64_t epochs) {
  const nas::Score& score = outcome_.validation;
  const double rate = trainer.learning_rate(epochs * trainer.steps_per_epoch() - 1);
  std::vector<std::pair<std::string, double>> scalars{{"train/loss", outcome_.loss},
                                                      {"train/learning_rate", rate},
                                                      {"validation/loss", score.loss},
                                                      {"validation/accuracy", score.accuracy}};
  nlohmann::ordered_json line{{"epoch", epochs},
                              {"loss", outcome_.loss},
                              {"learning_rate", rate},
                              {"validation_loss", score.loss},
                              {"validation_accuracy", score.accuracy}};
  if (const auto auxiliary = trainer.auxiliary_loss()) {
    scalars.emplace_back("train/auxiliary_loss", *auxiliary);
    line["auxiliary_loss"] = *auxiliary;
  }
  if (!setup_.options.recipe.progressive.empty()) line["image_size"] = trainer.image_size(epochs - 1);
  if (const auto& raw = outcome_.raw_validation) {
    scalars.insert(scalars.end(),
                   {{"validation/raw_loss", raw->loss}, {"validation/raw_accuracy", raw->accuracy}});
    line["raw_validation_loss"] = raw->loss;
    line["raw_validation_accuracy"] = raw->accuracy;
  }
  log_.scalars(epochs, scalars);
  log_.json.write("train", line);
}

void TrainRun::evaluate_test_split(nas::NetworkTrainer& trainer, const data::ImageSet& test) {
  using Which = nas::NetworkTrainer::Which;
  // In an arena of their own: the one of training was measured without them.
  Arena arena(setup_.backend, test.pixels.size() + test.labels.size() * 8 + 4096);
  const data::DeviceImages images = data::DeviceImages::upload(arena, test);
  const std::int64_t batch = setup_.options.evaluation_batch;
  outcome_.test = trainer.evaluate(images, batch);
  if (trainer.best() == Which::averaged) outcome_.raw_test = trainer.evaluate(images, batch, Which::raw);
}

}  // namespace adwp::apps
