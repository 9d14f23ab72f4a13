// The phases of a search. Each goes on where the store and the checkpoints say it stopped, and what it does
// next depends on those alone: so a run that was killed comes to the same bits.
#include <fmt/format.h>

#include <algorithm>

#include "apps/search/search_run.h"
#include "framework/io/checkpoint.h"
#include "nas/search/halving.h"
#include "nas/search/pareto.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

// Numbers of architectures differ from phase to phase, and so do the numbers drawn for them.
constexpr std::uint64_t rank_sample_stream = std::uint64_t{1} << 40;

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
  if (const auto facts = checkpoints.load({}, [&](const std::string& what) { report_damage(what); })) {
    first = std::stoll(facts->at("epochs"));
    loss = std::stod(facts->at("loss"));
    peak = std::stoll(facts->at("arena_peak"));
    progress_.say(fmt::format("resumed HyperNetwork training after epoch {}", first));
  }
  progress_.begin("HyperNetwork", static_cast<double>(options_.hyper_epochs), "epochs",
                  static_cast<double>(first));
  for (std::int64_t epoch = first; epoch < options_.hyper_epochs; ++epoch) {
    loss = trainer.run_epoch(epoch, [&](double fraction) {
      progress_.update(static_cast<double>(epoch) + fraction);
      stop_if_asked();
    });
    const nas::PhaseCost cost = lap();
    peak = std::max(peak, cost.arena_peak);
    store_->spend(nas::Phase::hypernetwork, cost);
    checkpoints.save({{"epochs", std::to_string(epoch + 1)},
                      {"loss", fmt::format("{}", loss)},
                      {"arena_peak", std::to_string(peak)}});
    progress_.milestone(static_cast<double>(epoch + 1), fmt::format("loss {:.3f}", loss));
    log_.write("hypernetwork", {{"epoch", epoch + 1}, {"loss", loss}});
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
  if (const auto found = checkpoints.load(facts, [&](const std::string& what) { report_damage(what); })) {
    first = std::stoi(found->at("epochs"));
    progress_.say(fmt::format("resumed {} after epoch {}", plan.architecture.id(), first));
  }
  for (int epoch = first; epoch < epochs; ++epoch) {
    trainer.run_epoch(epoch, [&](double fraction) {
      progress(epoch + fraction);
      stop_if_asked();
    });
    if (epoch + 1 == epochs) break;  // its score is what will be saved
    facts["epochs"] = std::to_string(epoch + 1);
    store_->spend(phase, lap());
    checkpoints.save(facts);
  }
  return trainer.evaluate(validation_, evaluator_->batch());
}

void SearchRun::train_rank_sample() {
  if (options_.rank_sample == 0) return;
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
    const auto show = [&](double epoch) {
      progress_.update(static_cast<double>(i) + epoch / (epochs == 1 ? 1 : epochs + 1));
    };
    if (i == measured_.size()) {
      const nas::Score trained = train_network(plans[i], epochs, seed, nas::Phase::rank_sample, show);
      measured_.push_back({.params = plans[i].parameters(),
                           .macs = plans[i].macs(),
                           .predicted_loss = predicted[i].loss,
                           .predicted_accuracy = predicted[i].accuracy,
                           .trained_accuracy = trained.accuracy});
      if (epochs == 1) measured_[i].one_epoch_accuracy = trained.accuracy;
      store_->save_rank_network(i, plans[i].architecture, measured_[i], lap());
    }
    nas::Measured& network = measured_[i];
    if (!network.one_epoch_accuracy) {
      network.one_epoch_accuracy =
          train_network(plans[i], 1, seed + 1, nas::Phase::rank_sample, [&](double epoch) {
            show(epochs + epoch);
          }).accuracy;
      store_->save_rank_network(i, plans[i].architecture, network, lap());
    }
    progress_.milestone(static_cast<double>(i + 1),
                        fmt::format("predicted {:.3f}, trained {:.3f}", network.predicted_accuracy,
                                    network.trained_accuracy));
    log_.write("rank_sample", {{"architecture", Json::parse(plans[i].architecture.to_json())},
                               {"params", network.params},
                               {"macs", network.macs},
                               {"predicted_loss", network.predicted_loss},
                               {"predicted_accuracy", network.predicted_accuracy},
                               {"one_epoch_accuracy", *network.one_epoch_accuracy},
                               {"trained_accuracy", network.trained_accuracy}});
  }
  progress_.end();
  store_->finish(nas::Phase::rank_sample, lap());
  agreement_ = nas::rank_agreement(measured_, options_.seed);
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
  const nas::Search::Scorer scorer = [&](std::span<nas::Candidate> candidates) {
    std::vector<nas::NetworkPlan> plans;
    for (const nas::Candidate& c : candidates) {
      plans.push_back(nas::plan_network(c.architecture, task_));
    }
    const std::vector<nas::Score> scores = evaluator_->evaluate(*source_, plans, [&] { stop_if_asked(); });
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      nas::Candidate& c = candidates[i];
      c.predicted_loss = scores[i].loss;
      c.predicted_accuracy = scores[i].accuracy;
      c.score = calibration.score(c.predicted_loss, c.macs, c.params);
    }
  };
  nas::Search search(space_, settings, scorer, store_->search_state());
  progress_.begin(options_.strategy, options_.generations + 1, "generations", search.state().next_generation);
  while (search.step()) {
    const nas::SearchState& state = search.state();
    store_->save_generation(state, lap());
    const auto best =
        std::max_element(state.evaluated.begin(), state.evaluated.end(),
                         [](const nas::Candidate& a, const nas::Candidate& b) { return a.score < b.score; });
    progress_.milestone(state.next_generation,
                        fmt::format("{} candidates, best score {:.3f}", state.evaluated.size(), best->score));
    for (const nas::Candidate& c : state.evaluated) {
      if (c.generation + 1 != state.next_generation) continue;
      log_.write("candidate", {{"generation", c.generation},
                               {"architecture", Json::parse(c.architecture.to_json())},
                               {"params", c.params},
                               {"macs", c.macs},
                               {"predicted_loss", c.predicted_loss},
                               {"predicted_accuracy", c.predicted_accuracy},
                               {"score", c.score}});
    }
  }
  progress_.end();
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
  if (options_.finalists == 0) return;
  const std::vector<nas::Candidate> chosen =
      nas::choose_finalists(state_.evaluated, static_cast<std::size_t>(options_.finalists));
  const std::vector<nas::Rung> rungs =
      nas::halving_schedule(chosen.size(), options_.finalist_epochs, options_.halvings);
  double total = 0, done = 0;
  for (const nas::Rung& rung : rungs) total += static_cast<double>(rung.networks) * rung.epochs;
  progress_.begin("finalists", total, "epochs");
  const nas::HalvingResult result = nas::successive_halving(rungs, [&](std::size_t index, int epochs) {
    const nas::Candidate& finalist = chosen[index];
    const double before = done;
    done += epochs;
    if (const auto known = store_->trained_accuracy(finalist, epochs)) return *known;
    const nas::NetworkPlan plan = nas::plan_network(finalist.architecture, task_);
    const nas::Score score = train_network(plan, epochs, options_.seed + 3, nas::Phase::finalists,
                                           [&](double epoch) { progress_.update(before + epoch); });
    store_->save_finalist(finalist, epochs, score.accuracy, lap());
    progress_.milestone(done, fmt::format("{} trained to {:.3f}", plan.architecture.id(), score.accuracy));
    log_.write(
        "finalist",
        {{"architecture", plan.architecture.id()}, {"epochs", epochs}, {"trained_accuracy", score.accuracy}});
    return score.accuracy;
  });
  progress_.end();
  store_->finish(nas::Phase::finalists, lap());
  for (std::size_t index : result.order) {
    finalists_.push_back({chosen[index], result.accuracy[index], result.epochs[index]});
  }
}

}  // namespace adwp::apps
