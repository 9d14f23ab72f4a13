#include "apps/search/search_jobs.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/common/main.h"
#include "apps/common/resumable_training.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::size_t most_of_a_checkpoint = std::size_t{1} << 34;
constexpr char progress_note = 'p', checkpoint_note = 'c';

// One line of JSON, then bytes.
std::string packed(const Json& json, const std::string& bytes = {}) { return json.dump() + "\n" + bytes; }
std::pair<Json, std::string> unpacked(const std::string& text) {
  const std::size_t end = text.find('\n');
  return {Json::parse(text.substr(0, end)), text.substr(end + 1)};
}

std::string read_file(const fs::path& path) {
  const std::vector<std::uint8_t> bytes = io::read_bytes(path.string(), most_of_a_checkpoint);
  return {bytes.begin(), bytes.end()};
}

fs::path checkpoint_of(const fs::path& folder, const Training& training) {
  return folder / fmt::format("training-{}.safetensors", training.number);
}

// Trains a network from scratch, or goes on from its checkpoint.
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
                         .same = {{"architecture", training.plan.architecture.to_json()},
                                  {"of", std::to_string(training.epochs)},
                                  {"seed", std::to_string(training.seed)}},
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

// The newest whole checkpoint of a training as its file's bytes; empty without one.
std::string stored(const fs::path& checkpoint) {
  const io::OnDamage skip = [](const std::string&, const Error&) {};
  const fs::path interrupted = fs::path(checkpoint).replace_extension(".interrupted.safetensors");
  for (const fs::path& path : {interrupted, checkpoint}) {
    if (const auto newest = io::read_newest(path.string(), skip)) return read_file(newest->path);
  }
  return {};
}

void discard(const fs::path& checkpoint) {
  std::error_code ignored;
  for (const char* extension : {".safetensors", ".previous.safetensors", ".interrupted.safetensors"}) {
    fs::remove(fs::path(checkpoint).replace_extension(extension), ignored);
  }
}

void broadcast_weights(SearchSetup& setup, parallel::Group& group) {
  for (const auto& source : setup.sources) group.broadcast(source->parameters().values());
}

Json outcome_json(const nas::Trained& trained) {
  return {{"accuracy", trained.accuracy}, {"loss", trained.loss}};
}

}  // namespace

std::vector<nas::Score> predict(SearchSetup& setup, Ledger& ledger, std::span<const nas::NetworkPlan> plans,
                                const std::function<void(double)>& show) {
  const auto between = [&](double fraction) {
    show(fraction);
    stop_if_interrupted();
  };
  if (ledger.group.alone()) return setup.predict(plans, between);
  double joined = 0;
  std::vector<nas::Score> scores(plans.size());
  parallel::Jobs::Batch batch;
  for (const nas::NetworkPlan& plan : plans) batch.costs.push_back(plan.macs());
  batch.ahead = 2;
  batch.work = [&](std::size_t i) {
    return packed({{"do", "predict"}, {"architecture", Json::parse(plans[i].architecture.to_json())}});
  };
  batch.here = [&](std::size_t i) {
    const nas::Score score = setup.predict(plans.subspan(i, 1), [](double) {}).front();
    return packed(outcome_json({score.accuracy, score.loss}));
  };
  batch.done = [&](std::size_t i, const std::string& result) {
    const Json json = unpacked(result).first;
    scores[i] = {.loss = json.at("loss"), .accuracy = json.at("accuracy")};
    ledger.note_peak(json.value("peak", std::size_t{0}));
    between(joined++ / plans.size());
  };
  ledger.jobs.run(batch, [] { stop_if_interrupted(); });
  return scores;
}

void train_networks(SearchSetup& setup, Ledger& ledger, nas::Phase phase,
                    const std::vector<Training>& trainings, const std::function<void(double)>& show,
                    const std::function<void(std::size_t, const nas::Trained&)>& done) {
  std::vector<double> epochs(trainings.size());
  const fs::path folder = ledger.directory.checkpoints();
  const auto show_all = [&](std::size_t i, double done_of_it) {
    epochs[i] = done_of_it;
    show(std::accumulate(epochs.begin(), epochs.end(), 0.0));
  };
  parallel::Jobs::Batch batch;
  for (const Training& t : trainings) batch.costs.push_back(1.0 * t.plan.macs() * t.epochs);
  batch.work = [&](std::size_t i) {
    const Training& t = trainings[i];
    const fs::path path = checkpoint_of(folder, t);
    return packed({{"do", "train"},
                   {"architecture", Json::parse(t.plan.architecture.to_json())},
                   {"epochs", t.epochs},
                   {"seed", t.seed},
                   {"number", t.number},
                   {"checkpoint", path.string()}},
                  stored(path));
  };
  batch.here = [&](std::size_t i) {
    const auto show_here = [&](double done_of_it) {
      show_all(i, done_of_it);
      ledger.jobs.poll();
    };
    return packed(outcome_json(train_one(
        setup, ledger.log, checkpoint_of(folder, trainings[i]), trainings[i],
        [&] { ledger.store.spend(phase, ledger.lap()); }, show_here, [](std::int64_t) {})));
  };
  batch.note = [&](std::size_t i, const std::string& note) {
    if (note.at(0) == progress_note) return show_all(i, std::stod(note.substr(1)));
    io::write_atomically(checkpoint_of(folder, trainings[i]).string(), std::string_view(note).substr(1));
  };
  batch.done = [&](std::size_t i, const std::string& result) {
    const Json json = unpacked(result).first;
    epochs[i] = trainings[i].epochs;
    ledger.note_peak(json.value("peak", std::size_t{0}));
    done(i, {.accuracy = json.at("accuracy"), .loss = json.at("loss")});
    discard(checkpoint_of(folder, trainings[i]));
  };
  ledger.jobs.run(batch, [] { stop_if_interrupted(); });
}

void share_weights(SearchSetup& setup, Ledger& ledger) {
  if (ledger.group.alone()) return;
  ledger.jobs.tell_all("weights");
  broadcast_weights(setup, ledger.group);
}

SearchHelper::SearchHelper(Backend& backend, const SearchOptions& options)
    : options_([&] {
        SearchOptions mine = options;  // what is measured is measured by rank 0
        mine.budget_minutes = mine.max_latency_us = 0;
        mine.latency = false;
        mine.latencies.clear();
        return mine;
      }()),
      silence_(true),
      setup_(backend, options_, std::nullopt, silence_) {}

void SearchHelper::run(parallel::Group& group) {
  worker_ = std::make_unique<parallel::Worker>(group);
  serve(*worker_, {.work =
                       [&](const std::string& work) {
                         const auto [job, bytes] = unpacked(work);
                         const auto network = nas::Architecture::from_json(job.at("architecture").dump());
                         const nas::NetworkPlan plan = nas::plan_network(network, setup_.task);
                         if (job.at("do") == "predict") return predict(plan);
                         return train({plan, job.at("epochs"), job.at("seed"), job.at("number")}, bytes,
                                      job.at("checkpoint"));
                       },
                   .told = [&](const std::string&) { broadcast_weights(setup_, group); },
                   .waiting = [] { stop_if_interrupted(); }});
}

std::string SearchHelper::predict(const nas::NetworkPlan& plan) {
  worker_->poll();
  stop_if_interrupted();
  const nas::Score score = setup_.predict(std::span(&plan, 1), [](double) {}).front();
  Json json = outcome_json({score.accuracy, score.loss});
  json["peak"] = setup_.arena->peak();
  return packed(json);
}

// In a folder of this process, as if it were alone; rank 0 gets each checkpoint.
std::string SearchHelper::train(const Training& training, const std::string& checkpoint,
                                const std::string& known_as) {
  std::string name = (fs::temp_directory_path() / "adwpnas-XXXXXX").string();
  require(mkdtemp(name.data()) != nullptr, "checkpoint", "cannot make a folder in {}; set TMPDIR",
          fs::temp_directory_path().string());
  const fs::path folder = name;
  const std::unique_ptr<const fs::path, void (*)(const fs::path*)> removal(&folder, [](const fs::path* path) {
    std::error_code ignored;
    fs::remove_all(*path, ignored);
  });
  const fs::path path = checkpoint_of(folder, training);
  if (!checkpoint.empty()) io::write_atomically(path.string(), checkpoint);
  RunLog log("/dev/null", true);
  try {
    const nas::Trained trained = train_one(
        setup_, log, path, training, [] {},
        [&](double epochs) {
          worker_->poll();
          worker_->note(progress_note + fmt::format("{}", epochs));
        },
        [&](std::int64_t) { worker_->note(checkpoint_note + read_file(path)); });
    Json json = outcome_json(trained);
    json["peak"] = setup_.arena->peak();
    return packed(json);
  } catch (const Error& error) {
    std::string what = error.what();  // names the checkpoint as rank 0 knows it
    if (const auto at = what.find(path.string()); at != what.npos) {
      what.replace(at, path.string().size(), known_as);
    }
    const std::size_t end = what.find("] ");
    throw Error(error.fault(), what.substr(1, end - 1), what.substr(end + 2));
  }
}

}  // namespace adwp::apps
