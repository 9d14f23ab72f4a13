// The phases of a search. Each goes on where the store and the checkpoints say it stopped, and what it does
// next depends on those alone: so a run that was killed comes to the same bits.
#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "apps/common/interrupt.h"
#include "apps/common/last_good.h"
#include "apps/search/search_run.h"
#include "framework/io/checkpoint.h"
#include "nas/search/halving.h"
#include "nas/search/pareto.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

// Numbers of architectures differ from phase to phase, and so do the numbers drawn for them.
constexpr std::uint64_t rank_sample_stream = std::uint64_t{1} << 40;

std::string loss_text(std::optional<double> loss) { return loss ? fmt::format("loss {:.3f}", *loss) : ""; }

}  // namespace

void SearchRun::report_damage(const std::string& what) {
  progress_.say(what);
  log_.write("checkpoint", {{"damaged", what}});
}

void SearchRun::train_source() {
  // The optimizer's state goes back to the arena when this phase ends.
  nas::HyperTrainer trainer(backend_, *arena_, *source_, space_, task_, train_, data_.norm, hyper_options());
  const io::CheckpointPair checkpoints((directory_.checkpoints() / "hypernetwork.safetensors").string(),
                                       source_->parameters(), &trainer.optimizer());
  std::int64_t first = 0;
  std::int64_t peak = 0;  // of the arena, here too: the store may be lost
  double loss = 0;
  nas::EpochPosition from;
  if (const auto facts = checkpoints.load({}, [&](const std::string& what) { report_damage(what); })) {
    first = std::stoll(facts->at("epochs"));
    loss = std::stod(facts->at("loss"));
    peak = std::stoll(facts->at("arena_peak"));
    from = nas::EpochPosition::read(*facts);
    progress_.say(fmt::format("resumed HyperNetwork training after {}", from.after(first)));
  }
  // What a checkpoint says after `epochs` whole ones; the time up to then is counted.
  const auto state = [&](std::int64_t epochs) {
    const nas::PhaseCost cost = lap();
    peak = std::max(peak, cost.arena_peak);
    store_->spend(nas::Phase::hypernetwork, cost);
    return io::CheckpointPair::Facts{{"epochs", std::to_string(epochs)},
                                     {"loss", fmt::format("{}", loss)},
                                     {"arena_peak", std::to_string(peak)}};
  };
  progress_.begin("HyperNetwork", static_cast<double>(options_.hyper_epochs), "epochs",
                  static_cast<double>(first) +
                      static_cast<double>(from.batches) / static_cast<double>(trainer.steps_per_epoch()));
  for (std::int64_t epoch = first; epoch < options_.hyper_epochs; ++epoch) {
    const auto between_batches = [&](double fraction) {
      progress_.update(static_cast<double>(epoch) + fraction, loss_text(trainer.loss_so_far()));
      if (!interrupted()) return;
      io::CheckpointPair::Facts facts = state(epoch);
      trainer.position().write(facts);
      checkpoints.save_interrupted(facts);
      stop_if_asked();
    };
    or_last_good(checkpoints, "--hyper-lr",
                 [&] { loss = trainer.run_epoch(epoch, between_batches, std::exchange(from, {})); });
    show(epoch + 1, {{"hypernetwork/loss", loss}});
    // Before the checkpoint: an epoch that is not done again must stand in the log.
    log_.write("hypernetwork", {{"epoch", epoch + 1}, {"loss", loss}});
    checkpoints.save(state(epoch + 1));
    progress_.milestone(static_cast<double>(epoch + 1), loss_text(loss));
  }
  progress_.end();
  store_->finish(nas::Phase::hypernetwork, {.seconds = lap().seconds, .arena_peak = peak});
  hyper_facts_ = {{"epochs", options_.hyper_epochs},
                  {"parameters", source_->parameters().parameters()},
                  {"seconds", store_->cost(nas::Phase::hypernetwork).seconds},
                  {"images_seen", options_.hyper_epochs * trainer.images_per_epoch()},
                  {"final_loss", loss}};
}

nas::Score SearchRun::train_network(const nas::NetworkPlan& plan, int epochs, std::uint64_t seed,
                                    nas::Phase phase, const std::function<void(double)>& progress) {
  const Arena::Frame frame(*arena_);
  nas::NetworkTrainer trainer(backend_, *arena_, plan, train_, data_.norm, network_options(epochs, seed));
  const io::CheckpointPair checkpoints((directory_.checkpoints() / "training.safetensors").string(),
                                       trainer.weights().parameters(), &trainer.optimizer(),
                                       {{"running_statistics", trainer.statistics().flat()}});
  // One file serves all networks in turn: these facts say whose it is.
  io::CheckpointPair::Facts facts{{"architecture", plan.architecture.to_json()},
                                  {"of", std::to_string(epochs)},
                                  {"seed", std::to_string(seed)}};
  int first = 0;
  nas::EpochPosition from;
  if (const auto found = checkpoints.load(facts, [&](const std::string& what) { report_damage(what); })) {
    first = std::stoi(found->at("epochs"));
    from = nas::EpochPosition::read(*found);
    progress_.say(fmt::format("resumed {} after {}", plan.architecture.id(), from.after(first)));
  }
  nas::Score score;
  or_last_good(checkpoints, "--finalist-lr", [&] {
    for (int epoch = first; epoch < epochs; ++epoch) {
      const auto between_batches = [&](double fraction) {
        progress(epoch + fraction);
        if (!interrupted()) return;
        facts["epochs"] = std::to_string(epoch);
        trainer.position().write(facts);
        store_->spend(phase, lap());
        checkpoints.save_interrupted(facts);
        stop_if_asked();
      };
      trainer.run_epoch(epoch, between_batches, std::exchange(from, {}));
      if (epoch + 1 == epochs) break;  // its score is what will be saved
      facts["epochs"] = std::to_string(epoch + 1);
      store_->spend(phase, lap());
      checkpoints.save(facts);
    }
    score = trainer.evaluate(validation_, evaluator_->batch());
  });
  checkpoints.discard_interrupted();
  return score;
}

void SearchRun::train_rank_sample() {
  if (options_.rank_sample == 0) return store_->finish(nas::Phase::rank_sample, {});
  const auto count = static_cast<std::size_t>(options_.rank_sample);
  const auto epochs = static_cast<int>(options_.rank_epochs);
  const std::uint64_t seed = options_.seed + 1;
  std::vector<nas::NetworkPlan> plans;
  for (std::size_t i = 0; i < count; ++i) {
    Random random(options_.seed, Purpose::architecture, rank_sample_stream + i);
    plans.push_back(nas::plan_network(space_.sample(random), task_));
  }
  measured_ = store_->rank_sample();
  const bool complete = measured_.size() == count && measured_.back().one_epoch_accuracy;
  const std::vector<nas::Score> predicted =
      complete ? std::vector<nas::Score>{} : evaluator_->evaluate(*source_, plans, [&] { stop_if_asked(); });
  const std::size_t first =
      measured_.empty() || measured_.back().one_epoch_accuracy ? measured_.size() : measured_.size() - 1;
  progress_.begin("rank sample", static_cast<double>(count), "networks", static_cast<double>(first));
  for (std::size_t i = first; i < count; ++i) {
    const auto epochs_done = [&](double epoch) {
      progress_.update(static_cast<double>(i) + epoch / (epochs == 1 ? 1 : epochs + 1));
    };
    // In the log first: what the store holds is not done again.
    const auto keep = [&](const nas::Measured& network) {
      if (network.one_epoch_accuracy) {
        log_.write("rank_sample", {{"architecture", Json::parse(plans[i].architecture.to_json())},
                                   {"params", network.params},
                                   {"macs", network.macs},
                                   {"predicted_loss", network.predicted_loss},
                                   {"predicted_accuracy", network.predicted_accuracy},
                                   {"one_epoch_accuracy", *network.one_epoch_accuracy},
                                   {"trained_accuracy", network.trained_accuracy}});
      }
      store_->save_rank_network(i, plans[i].architecture, network, lap());
    };
    if (i == measured_.size()) {
      const nas::Score trained = train_network(plans[i], epochs, seed, nas::Phase::rank_sample, epochs_done);
      measured_.push_back({.params = plans[i].parameters(),
                           .macs = plans[i].macs(),
                           .predicted_loss = predicted[i].loss,
                           .predicted_accuracy = predicted[i].accuracy,
                           .trained_accuracy = trained.accuracy});
      if (epochs == 1) measured_[i].one_epoch_accuracy = trained.accuracy;
      show(static_cast<std::int64_t>(i + 1), {{"rank_sample/predicted_accuracy", predicted[i].accuracy},
                                              {"rank_sample/trained_accuracy", trained.accuracy}});
      keep(measured_[i]);
    }
    nas::Measured& network = measured_[i];
    if (!network.one_epoch_accuracy) {
      network.one_epoch_accuracy =
          train_network(plans[i], 1, seed + 1, nas::Phase::rank_sample, [&](double epoch) {
            epochs_done(epochs + epoch);
          }).accuracy;
      keep(network);
    }
    progress_.milestone(static_cast<double>(i + 1),
                        fmt::format("predicted {:.3f}, trained {:.3f}", network.predicted_accuracy,
                                    network.trained_accuracy));
  }
  progress_.end();
  store_->finish(nas::Phase::rank_sample, lap());
  agreement_ = nas::rank_agreement(measured_, options_.seed);
}

void SearchRun::show_generation(const nas::SearchState& state) {
  if (!events_) return;
  double best_score = -std::numeric_limits<double>::infinity(), best_accuracy = 0;  // so far
  std::vector<double> scores, accuracies;                                           // of the generation
  for (const nas::Candidate& c : state.evaluated) {
    best_score = std::max(best_score, c.score);
    best_accuracy = std::max(best_accuracy, c.predicted_accuracy);
    if (c.generation + 1 != state.next_generation) continue;
    scores.push_back(c.score);
    accuracies.push_back(c.predicted_accuracy);
  }
  show(state.next_generation - 1, {{"search/best_score", best_score},
                                   {"search/mean_score", nas::mean(scores)},
                                   {"search/best_predicted_accuracy", best_accuracy},
                                   {"search/mean_predicted_accuracy", nas::mean(accuracies)}});
}

void SearchRun::record_generation(const nas::SearchState& state) {
  show_generation(state);
  for (const nas::Candidate& c : state.evaluated) {
    if (c.generation + 1 != state.next_generation) continue;
    log_.write("candidate", {{"generation", c.generation},
                             {"architecture", Json::parse(c.architecture.to_json())},
                             {"params", c.params},
                             {"macs", c.macs},
                             {"predicted_loss", c.predicted_loss},
                             {"predicted_accuracy", c.predicted_accuracy},
                             {"score", c.score},
                             {"latency_us", c.latency_us ? Json(*c.latency_us) : Json()},
                             {"latency_batch_us", c.latency_batch_us ? Json(*c.latency_batch_us) : Json()}});
  }
  store_->save_generation(state, lap());  // last: what it holds is not done again
  const auto best =
      std::max_element(state.evaluated.begin(), state.evaluated.end(),
                       [](const nas::Candidate& a, const nas::Candidate& b) { return a.score < b.score; });
  progress_.milestone(state.next_generation,
                      fmt::format("{} candidates, best score {:.3f}", state.evaluated.size(), best->score));
}

void SearchRun::evolve() {
  const nas::Calibration calibration(measured_);
  const nas::SearchSettings settings{
      .strategy = options_.strategy == "random" ? nas::Strategy::random : nas::Strategy::evolution,
      .population = options_.population,
      .generations = options_.generations,
      .limits = limits(),
      .task = task_,
      .seed = options_.seed};
  double generations = 0;  // done
  const nas::Search::Scorer scorer = [&](std::span<nas::Candidate> candidates) {
    std::vector<nas::NetworkPlan> plans;
    for (const nas::Candidate& c : candidates) {
      plans.push_back(nas::plan_network(c.architecture, task_));
    }
    std::size_t begun = 0;
    const std::vector<nas::Score> scores = evaluator_->evaluate(*source_, plans, [&] {
      progress_.update(generations + static_cast<double>(begun++) / static_cast<double>(plans.size()));
      stop_if_asked();
    });
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      nas::Candidate& c = candidates[i];
      c.predicted_loss = scores[i].loss;
      c.predicted_accuracy = scores[i].accuracy;
      c.score = calibration.score(c.predicted_loss, c.macs, c.params);
      if (c.latency_us) c.latency_batch_us = latency(plans[i], evaluator_->batch());
    }
  };
  nas::Search::Meter meter;
  if (latency_counts()) meter = [&](const nas::NetworkPlan& plan) { return latency(plan, 1); };
  nas::Search search(space_, settings, scorer, store_->search_state(), meter);
  progress_.begin(options_.strategy, options_.generations + 1, "generations", search.state().next_generation);
  generations = search.state().next_generation;
  const auto begin = Clock::now();
  Clock::duration records{};  // spent on store, log, progress and events
  while (search.step()) {
    const auto scored = Clock::now();
    generations = search.state().next_generation;
    record_generation(search.state());
    records += Clock::now() - scored;
  }
  progress_.end();
  log_.write("search", {{"candidates", search.state().evaluated.size()},
                        {"seconds_here", std::chrono::duration<double>(Clock::now() - begin).count()},
                        {"seconds_of_records", std::chrono::duration<double>(records).count()}});
  if (search.state().evaluated.empty()) {
    fail("search",
         "of the networks tried, none is within --max-latency-us {}; give a higher one and another "
         "--out",
         options_.max_latency_us);
  }
  if (search.state().next_generation <= options_.generations) {
    progress_.say(fmt::format("no more generations after {}: nothing new is within the limits",
                              search.state().next_generation));
  }
  store_->finish(nas::Phase::search, lap());
  state_ = search.state();
  front_ = nas::pareto_front(state_.evaluated);
  const double seconds = store_->cost(nas::Phase::search).seconds;
  std::vector<double> accuracies;
  for (const nas::Candidate& c : state_.evaluated) accuracies.push_back(c.predicted_accuracy);
  search_facts_ = {{"strategy", options_.strategy},
                   {"score", calibration.fitted() ? "calibrated" : "predicted_loss"},
                   {"evaluated", state_.evaluated.size()},
                   {"mean_predicted_accuracy", nas::mean(accuracies)},
                   {"best_predicted_accuracy", *std::max_element(accuracies.begin(), accuracies.end())},
                   {"images_per_candidate", evaluator_->images_per_network()},
                   {"seconds", seconds},
                   {"candidates_per_minute", 60.0 * static_cast<double>(state_.evaluated.size()) / seconds}};
}

void SearchRun::train_finalists() {
  if (options_.finalists == 0) return store_->finish(nas::Phase::finalists, {});
  const std::vector<nas::Candidate> chosen =
      nas::choose_finalists(state_.evaluated, static_cast<std::size_t>(options_.finalists));
  const std::vector<nas::Rung> rungs =
      nas::halving_schedule(chosen.size(), options_.finalist_epochs, options_.halvings);
  double total = 0, done = 0;
  std::int64_t trained = 0;  // trainings, over all rungs
  for (const nas::Rung& rung : rungs) total += static_cast<double>(rung.networks) * rung.epochs;
  progress_.begin("finalists", total, "epochs");
  const nas::HalvingResult result = nas::successive_halving(rungs, [&](std::size_t index, int epochs) {
    const nas::Candidate& finalist = chosen[index];
    const double before = done;
    done += epochs;
    ++trained;
    if (const auto known = store_->trained_accuracy(finalist, epochs)) return *known;
    const nas::NetworkPlan plan = nas::plan_network(finalist.architecture, task_);
    const nas::Score score = train_network(plan, epochs, options_.seed + 3, nas::Phase::finalists,
                                           [&](double epoch) { progress_.update(before + epoch); });
    show(trained, {{"finalists/trained_accuracy", score.accuracy},
                   {"finalists/predicted_accuracy", finalist.predicted_accuracy}});
    log_.write(
        "finalist",
        {{"architecture", plan.architecture.id()}, {"epochs", epochs}, {"trained_accuracy", score.accuracy}});
    store_->save_finalist(finalist, epochs, score.accuracy, lap());
    progress_.milestone(done, fmt::format("{} trained to {:.3f}", plan.architecture.id(), score.accuracy));
    return score.accuracy;
  });
  progress_.end();
  store_->finish(nas::Phase::finalists, lap());
  for (std::size_t index : result.order) {
    finalists_.push_back({chosen[index], result.accuracy[index], result.epochs[index]});
  }
}

}  // namespace adwp::apps
