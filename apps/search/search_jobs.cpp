#include "apps/search/search_jobs.h"

#include <fmt/ranges.h>

#include <algorithm>
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

// Whose training it is, however far it goes.
ResumableTraining::Facts facts_of(const Training& training) {
  return {{"architecture", training.plan.architecture.to_json()},
          {"of", fmt::format("{}", fmt::join(training.schedule, ", "))},
          {"seed", std::to_string(training.seed)}};
}

// What its outcome is of.
Json key_of(const Training& training) {
  Json key = facts_of(training);
  key["epochs"] = training.epochs;
  return key;
}

// `stays`: the checkpoint itself does, because the training may go on.
void discard(const fs::path& checkpoint, bool stays = false) {
  std::error_code ignored;
  if (!stays) fs::remove(checkpoint, ignored);
  for (const char* extension : {".previous.safetensors", ".interrupted.safetensors", ".outcome.json"}) {
    fs::remove(fs::path(checkpoint).replace_extension(extension), ignored);
  }
}

// Discards a checkpoint of a later rung: its outcome was lost with the store, and so are those that come
// first.
void discard_if_further(const fs::path& checkpoint, const Training& training) {
  const io::OnDamage skip = [](const std::string&, const Error&) {};
  const fs::path interrupted = fs::path(checkpoint).replace_extension(".interrupted.safetensors");
  for (const fs::path& path : {interrupted, checkpoint}) {
    const auto stored = io::read_newest(path.string(), skip);
    if (!stored) continue;
    const auto& facts = stored->file.metadata;
    const auto epochs = facts.find("epochs");
    if (epochs == facts.end()) continue;
    const std::int64_t done = std::stoll(epochs->second);
    if (done > training.epochs || (done == training.epochs && facts.contains("batches")))
      return discard(checkpoint);
  }
}

}  // namespace

std::vector<std::int64_t> Training::restarts() const {
  return {schedule.begin(), std::find(schedule.begin(), schedule.end(), epochs)};
}

std::int64_t Training::from() const {
  const std::vector<std::int64_t> before = restarts();
  return before.empty() ? 0 : before.back();
}

fs::path checkpoint_of(const fs::path& folder, const Training& training) {
  return folder / fmt::format("training-{}-{}.safetensors", training.plan.architecture.id(), training.seed);
}

nas::Trained train_one(SearchSetup& setup, RunLog& log, const fs::path& checkpoint, const Training& training,
                       const std::function<void()>& spend, const std::function<void(double)>& show,
                       const std::function<void(std::int64_t)>& saved) {
  if (training.may_go_on()) discard_if_further(checkpoint, training);
  const Arena::Frame frame(*setup.arena);
  nas::NetworkTrainingOptions options =
      setup.options.network_training(setup.task, training.epochs, training.seed);
  options.restarts = training.restarts();
  nas::NetworkTrainer trainer(setup.backend, *setup.arena, training.plan, setup.train, setup.data.norm,
                              options);
  ResumableTraining run(trainer, log,
                        {.checkpoint = checkpoint,
                         .epochs = training.epochs,
                         .resumed = "resumed " + training.plan.architecture.id(),
                         .learning_rate = "--finalist-lr",
                         .same = facts_of(training),
                         .goes_on_from = training.from(),
                         .saves_last_epoch = training.may_go_on()});
  std::optional<nas::Score> score;
  const auto evaluate = [&] { score = trainer.evaluate(setup.validation, setup.evaluator->batch()); };
  run.run({.facts =
               [&] {
                 spend();
                 return ResumableTraining::Facts{};
               },
           .show = [&](double epochs, std::optional<double>) { show(epochs); },
           .record =
               [&](std::int64_t epochs, double) {
                 if (epochs == training.epochs) evaluate();
               },
           .saved =
               [&](std::int64_t epochs) {
                 if (epochs < training.epochs || training.may_go_on()) saved(epochs);
               }});
  if (!score) evaluate();  // an earlier process trained it to its end
  return {.accuracy = score->accuracy, .loss = score->loss};
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
                     std::size_t further, Done done)
    : setup_(setup),
      ledger_(ledger),
      phase_(phase),
      trainings_(std::move(trainings)),
      further_(further),
      done_(std::move(done)),
      epochs_(trainings_.size()) {
  for (const Training& t : trainings_) batch_.costs.push_back(1.0 * t.plan.macs() * (t.epochs - t.from()));
  batch_.work = [this](std::size_t i) { return work(i); };
  batch_.here = [this](std::size_t i) { return here(i); };
  batch_.note = [this](std::size_t i, const std::string& bytes) { note(i, bytes); };
  batch_.done = [this](std::size_t i, const std::string& result) { finish(i, result); };
  batch_.early = [this](std::size_t i, const std::string& result) {
    const Json kept{{"training", key_of(trainings_[i])}, {"outcome", unpacked(result).first}};
    io::write_atomically(outcome_of(checkpoint(i)).string(), kept.dump() + "\n");
  };
  batch_.known = [this](std::size_t i) -> std::optional<std::string> {
    const fs::path path = outcome_of(checkpoint(i));
    if (!fs::exists(path)) return std::nullopt;
    const Json kept = Json::parse(io::read_text(path.string()), nullptr, false);
    if (!kept.is_object() || !kept.contains("outcome") ||
        kept.value("training", Json()) != key_of(trainings_[i]))
      return std::nullopt;
    return packed(kept.at("outcome"));
  };
}

fs::path Trainings::checkpoint(std::size_t i) const {
  return checkpoint_of(ledger_.directory.checkpoints(), trainings_[i]);
}

void Trainings::show(std::size_t i, double epochs) {
  epochs_[i] = std::max(0.0, epochs - trainings_[i].from());
  if (show_) show_(std::accumulate(epochs_.begin(), epochs_.end(), 0.0));
}

std::string Trainings::work(std::size_t i) const {
  const Training& t = trainings_[i];
  const fs::path path = checkpoint(i);
  return packed({{"do", "train"},
                 {"architecture", Json::parse(t.plan.architecture.to_json())},
                 {"schedule", t.schedule},
                 {"epochs", t.epochs},
                 {"seed", t.seed},
                 {"checkpoint", path.string()}},
                stored_checkpoint(path, ledger_.log));
}

std::string Trainings::here(std::size_t i) {
  const auto show_here = [&](double epochs) {
    show(i, epochs);
    ledger_.jobs.poll();
  };
  const nas::Trained trained = train_one(
      setup_, ledger_.log, checkpoint(i), trainings_[i], [&] { ledger_.store.spend(phase_, ledger_.lap()); },
      show_here, [](std::int64_t) {});
  return packed(outcome_json(trained, setup_.arena->peak()));
}

void Trainings::note(std::size_t i, const std::string& bytes) {
  const auto [progress, saved] = unpacked(bytes);
  if (saved.empty()) return show(i, progress.at("epochs"));
  io::keep_checkpoint(checkpoint(i).string(), saved);
}

void Trainings::finish(std::size_t i, const std::string& result) {
  const Json json = unpacked(result).first;
  const nas::Trained trained{.accuracy = json.at("accuracy"), .loss = json.at("loss")};
  epochs_[i] = trainings_[i].epochs - trainings_[i].from();
  ledger_.note_peak(json.at("peak"));
  done_(i, trained);
  keep_if_best(i, trained);
}

void Trainings::keep_if_best(std::size_t i, const nas::Trained& trained) {
  discard(checkpoint(i), trainings_[i].may_go_on());
  if (!trainings_[i].may_go_on()) return;
  const std::pair<double, std::size_t> place{trained.loss, i};
  best_.insert(std::upper_bound(best_.begin(), best_.end(), place), place);
  if (best_.size() <= further_) return;
  discard(checkpoint(best_.back().second));
  best_.pop_back();
}

void discard_trainings(const RunDirectory& directory) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory.checkpoints(), ignored)) {
    if (entry.path().filename().string().starts_with("training-")) fs::remove(entry.path(), ignored);
  }
}

}  // namespace adwp::apps
