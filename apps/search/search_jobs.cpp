#include "apps/search/search_jobs.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/common/main.h"
#include "apps/common/resumable_training.h"
#include "apps/search/messages.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/checkpoint.h"

namespace adwp::apps {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

// What became of it, where that came before its turn.
fs::path outcome_of(fs::path checkpoint) { return checkpoint.replace_extension(".outcome.json"); }

// Whose training it is.
ResumableTraining::Facts facts_of(const Training& training) {
  return {{"architecture", training.plan.architecture.to_json()},
          {"of", std::to_string(training.epochs)},
          {"seed", std::to_string(training.seed)}};
}

void discard(const fs::path& checkpoint) {
  std::error_code ignored;
  for (const char* extension :
       {".safetensors", ".previous.safetensors", ".interrupted.safetensors", ".outcome.json"}) {
    fs::remove(fs::path(checkpoint).replace_extension(extension), ignored);
  }
}

}  // namespace

fs::path checkpoint_of(const fs::path& folder, const Training& training) {
  return folder / fmt::format("training-{}.safetensors", training.number);
}

nas::Trained train_one(SearchSetup& setup, RunLog& log, const fs::path& checkpoint, const Training& training,
                       const std::function<void()>& spend, const std::function<void(double)>& show,
                       const std::function<void(std::int64_t)>& saved) {
  const Arena::Frame frame(*setup.arena);
  nas::NetworkTrainer trainer(setup.backend, *setup.arena, training.plan, setup.train, setup.data.norm,
                              setup.options.network_training(setup.task, training.epochs, training.seed));
  ResumableTraining run(trainer, log,
                        {.checkpoint = checkpoint,
                         .epochs = training.epochs,
                         .resumed = "resumed " + training.plan.architecture.id(),
                         .learning_rate = "--finalist-lr",
                         .same = facts_of(training),
                         .saves_last_epoch = false});
  nas::Score score;
  run.run({.facts =
               [&] {
                 spend();
                 return ResumableTraining::Facts{};
               },
           .show = [&](double epochs, std::optional<double>) { show(epochs); },
           .record =
               [&](std::int64_t epochs, double) {
                 if (epochs < training.epochs) return;
                 score = trainer.evaluate(setup.validation, setup.evaluator->batch());
               },
           .saved =
               [&](std::int64_t epochs) {
                 if (epochs < training.epochs) saved(epochs);
               }});
  return {.accuracy = score.accuracy, .loss = score.loss};
}

std::vector<nas::Score> predict(SearchSetup& setup, Ledger& ledger, std::span<const nas::NetworkPlan> plans,
                                const std::function<void(double)>& show) {
  if (ledger.group.alone()) {
    return setup.predict(plans, [&](double fraction) {
      show(fraction);
      stop_if_interrupted();
    });
  }
  double come = 0;
  std::vector<nas::Score> scores(plans.size());
  parallel::Jobs::Batch batch;
  for (const nas::NetworkPlan& plan : plans) batch.costs.push_back(plan.macs());
  batch.ahead = 2;
  batch.work = [&](std::size_t i) {
    return packed({{"do", "predict"}, {"architecture", Json::parse(plans[i].architecture.to_json())}});
  };
  batch.here = [&](std::size_t i) {
    const nas::Score score = setup.predict(plans.subspan(i, 1), [](double) {}).front();
    return packed(outcome_json({score.accuracy, score.loss}, setup.arena->peak()));
  };
  batch.done = [&](std::size_t i, const std::string& result) {
    const Json json = unpacked(result).first;
    scores[i] = {.loss = json.at("loss"), .accuracy = json.at("accuracy")};
    ledger.note_peak(json.at("peak"));
    show(++come / plans.size());
    stop_if_interrupted();
  };
  ledger.jobs.run(batch, [] { stop_if_interrupted(); });
  return scores;
}

Trainings::Trainings(SearchSetup& setup, Ledger& ledger, nas::Phase phase, std::vector<Training> trainings,
                     Done done)
    : setup_(setup),
      ledger_(ledger),
      phase_(phase),
      trainings_(std::move(trainings)),
      done_(std::move(done)),
      epochs_(trainings_.size()) {
  for (const Training& t : trainings_) batch_.costs.push_back(1.0 * t.plan.macs() * t.epochs);
  batch_.work = [this](std::size_t i) { return work(i); };
  batch_.here = [this](std::size_t i) { return here(i); };
  batch_.note = [this](std::size_t i, const std::string& bytes) { note(i, bytes); };
  batch_.done = [this](std::size_t i, const std::string& result) { finish(i, result); };
  batch_.early = [this](std::size_t i, const std::string& result) {
    const Json kept{{"training", facts_of(trainings_[i])}, {"outcome", unpacked(result).first}};
    io::write_atomically(outcome_of(checkpoint_of(folder(), trainings_[i])).string(), kept.dump() + "\n");
  };
  batch_.known = [this](std::size_t i) -> std::optional<std::string> {
    const fs::path path = outcome_of(checkpoint_of(folder(), trainings_[i]));
    if (!fs::exists(path)) return std::nullopt;
    const Json kept = Json::parse(io::read_text(path.string()), nullptr, false);
    if (!kept.is_object() || kept.value("training", Json()) != Json(facts_of(trainings_[i])))
      return std::nullopt;
    return packed(kept.at("outcome"));
  };
}

fs::path Trainings::folder() const { return ledger_.directory.checkpoints(); }

void Trainings::show(std::size_t i, double epochs) {
  epochs_[i] = epochs;
  if (show_) show_(std::accumulate(epochs_.begin(), epochs_.end(), 0.0));
}

std::string Trainings::work(std::size_t i) const {
  const Training& t = trainings_[i];
  const fs::path path = checkpoint_of(folder(), t);
  return packed({{"do", "train"},
                 {"architecture", Json::parse(t.plan.architecture.to_json())},
                 {"epochs", t.epochs},
                 {"seed", t.seed},
                 {"number", t.number},
                 {"checkpoint", path.string()}},
                stored_checkpoint(path, ledger_.log));
}

std::string Trainings::here(std::size_t i) {
  const auto show_here = [&](double epochs) {
    show(i, epochs);
    ledger_.jobs.poll();
  };
  const nas::Trained trained = train_one(
      setup_, ledger_.log, checkpoint_of(folder(), trainings_[i]), trainings_[i],
      [&] { ledger_.store.spend(phase_, ledger_.lap()); }, show_here, [](std::int64_t) {});
  return packed(outcome_json(trained, setup_.arena->peak()));
}

void Trainings::note(std::size_t i, const std::string& bytes) {
  const auto [progress, checkpoint] = unpacked(bytes);
  if (checkpoint.empty()) return show(i, progress.at("epochs"));
  io::keep_checkpoint(checkpoint_of(folder(), trainings_[i]).string(), checkpoint);
}

void Trainings::finish(std::size_t i, const std::string& result) {
  const Json json = unpacked(result).first;
  epochs_[i] = trainings_[i].epochs;
  ledger_.note_peak(json.at("peak"));
  done_(i, {.accuracy = json.at("accuracy"), .loss = json.at("loss")});
  discard(checkpoint_of(folder(), trainings_[i]));
}

}  // namespace adwp::apps
