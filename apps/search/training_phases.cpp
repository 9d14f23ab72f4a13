// The phases that train: the weight source, the rank sample and the finalists.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/common/main.h"
#include "apps/common/resumable_training.h"
#include "apps/search/search_run.h"
#include "nas/score/structure.h"
#include "nas/search/selection.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

// Architectures are numbered in each phase, and the numbers of two phases must not meet.
constexpr std::uint64_t rank_sample_stream = std::uint64_t{1} << 40;

std::string loss_text(std::optional<double> loss) { return loss ? fmt::format("loss {:.3f}", *loss) : ""; }

// How a network is trained from scratch, and in which phase.
struct Schedule {
  nas::Phase phase;
  int epochs = 0;
  std::uint64_t seed = 0;
};

// Trains a network from scratch; its score on the validation split. `progress` gets the epochs done.
nas::Score train_network(SearchSetup& setup, Ledger& ledger, const nas::NetworkPlan& plan,
                         const Schedule& schedule, const std::function<void(double)>& progress) {
  const Arena::Frame frame(*setup.arena);
  nas::NetworkTrainer trainer(setup.backend, *setup.arena, plan, setup.train, setup.data.norm,
                              setup.options.network_training(setup.task, schedule.epochs, schedule.seed));
  // One file serves all networks in turn; the facts that must be the same say whose it is.
  ResumableTraining training(trainer, ledger.log,
                             {.checkpoint = ledger.directory.checkpoints() / "training.safetensors",
                              .epochs = schedule.epochs,
                              .resumed = "resumed " + plan.architecture.id(),
                              .learning_rate = "--finalist-lr",
                              .same = {{"architecture", plan.architecture.to_json()},
                                       {"of", std::to_string(schedule.epochs)},
                                       {"seed", std::to_string(schedule.seed)}},
                              .saves_last_epoch = false});
  nas::Score score;
  training.run({.facts =
                    [&] {
                      ledger.store.spend(schedule.phase, ledger.lap());
                      return ResumableTraining::Facts{};
                    },
                .show = [&](double epochs, std::optional<double>) { progress(epochs); },
                .record =
                    [&](std::int64_t epochs, double) {
                      if (epochs < schedule.epochs) return;
                      score = trainer.evaluate(setup.validation, setup.evaluator->batch());
                    }});
  return score;
}

}  // namespace

nas::Evidence evidence_of(const nas::NetworkPlan& plan, const nas::Score& predicted) {
  return {.structure = nas::structure_features(plan.architecture, plan.parameters(), plan.macs()),
          .losses = {predicted.loss}};
}

HyperTraining train_source(SearchSetup& setup, Ledger& ledger) {
  const std::int64_t epochs = setup.options.hyper_epochs;
  // The optimizer's state goes back to the arena when this phase ends.
  nas::HyperTrainer trainer(setup.backend, *setup.arena, *setup.source, setup.space, setup.task, setup.train,
                            setup.data.norm, setup.options.hyper_training(setup.task));
  ResumableTraining training(trainer, ledger.log,
                             {.checkpoint = ledger.directory.checkpoints() / "hypernetwork.safetensors",
                              .epochs = epochs,
                              .resumed = "resumed HyperNetwork training",
                              .learning_rate = "--hyper-lr"});
  double loss = 0;
  std::int64_t peak = 0;  // of the arena; the checkpoint holds it because the store may be lost
  if (training.loaded()) {
    loss = std::stod(training.loaded()->at("loss"));
    peak = std::stoll(training.loaded()->at("arena_peak"));
  }
  Progress& progress = ledger.log.progress;
  progress.begin("HyperNetwork", epochs, "epochs", training.epochs_done());
  training.run(
      {.facts =
           [&] {
             const nas::PhaseCost cost = ledger.lap();
             peak = std::max(peak, cost.arena_peak);
             ledger.store.spend(nas::Phase::hypernetwork, cost);
             return ResumableTraining::Facts{{"loss", fmt::format("{}", loss)},
                                             {"arena_peak", std::to_string(peak)}};
           },
       .show = [&](double done, std::optional<double> so_far) { progress.update(done, loss_text(so_far)); },
       .record =
           [&](std::int64_t done, double mean_loss) {
             loss = mean_loss;
             ledger.log.scalars(done, {{"hypernetwork/loss", loss}});
             ledger.log.json.write("hypernetwork", {{"epoch", done}, {"loss", loss}});
           },
       .saved = [&](std::int64_t done) { progress.milestone(done, loss_text(loss)); }});
  progress.end();
  ledger.store.finish(nas::Phase::hypernetwork, {.seconds = ledger.lap().seconds, .arena_peak = peak});
  return {.final_loss = loss,
          .seconds = ledger.store.cost(nas::Phase::hypernetwork).seconds,
          .images_seen = epochs * trainer.images_per_epoch()};
}

namespace {

// The rank sample while it grows, network by network.
class RankTraining {
 public:
  RankTraining(SearchSetup& setup, Ledger& ledger)
      : setup_(setup), ledger_(ledger), networks_(ledger.store.rank_sample()) {
    for (int i = 0; i < setup.options.rank_sample; ++i) {
      Random random(setup.options.seed, Purpose::architecture, rank_sample_stream + i);
      plans_.push_back(nas::plan_network(setup.space.sample(random), setup.task));
    }
  }

  std::vector<nas::Measured> train() {
    const std::size_t first =
        networks_.empty() || is_whole(networks_.back()) ? networks_.size() : networks_.size() - 1;
    if (first < plans_.size()) {
      predicted_ = setup_.evaluator->evaluate(*setup_.source, plans_, stop_if_interrupted);
    }
    Progress& progress = ledger_.log.progress;
    progress.begin("rank sample", plans_.size(), "networks", first);
    for (std::size_t i = first; i < plans_.size(); ++i) {
      if (i == networks_.size()) train_for_all_epochs(i);
      if (!is_whole(networks_[i])) train_one_epoch(i);
      progress.milestone(i + 1, fmt::format("predicted {:.3f}, trained {:.3f}",
                                            networks_[i].predicted_accuracy, networks_[i].trained_accuracy));
    }
    progress.end();
    return std::move(networks_);
  }

 private:
  int epochs() const { return setup_.options.rank_epochs; }
  std::uint64_t seed() const { return setup_.options.seed + 1; }
  bool is_whole(const nas::Measured& network) const {
    return !setup_.options.rank_one_epoch || network.one_epoch_loss;
  }

  void train_for_all_epochs(std::size_t i) {
    const nas::NetworkPlan& plan = plans_[i];
    const nas::Score trained =
        train_network(setup_, ledger_, plan, {nas::Phase::rank_sample, epochs(), seed()},
                      [&](double epoch) { show(i, epoch); });
    networks_.push_back({.params = plan.parameters(),
                         .macs = plan.macs(),
                         .evidence = evidence_of(plan, predicted_[i]),
                         .predicted_accuracy = predicted_[i].accuracy,
                         .trained_accuracy = trained.accuracy,
                         .one_epoch_loss = {}});
    ledger_.log.scalars(i + 1, {{"rank_sample/predicted_accuracy", predicted_[i].accuracy},
                                {"rank_sample/trained_accuracy", trained.accuracy}});
    keep(i);
  }

  // A training of its own: the cosine schedule of one epoch.
  void train_one_epoch(std::size_t i) {
    networks_[i].one_epoch_loss =
        train_network(setup_, ledger_, plans_[i], {nas::Phase::rank_sample, 1, seed() + 1},
                      [&](double epoch) { show(i, epochs() + epoch); })
            .loss;
    keep(i);
  }

  void show(std::size_t i, double epoch) {
    ledger_.log.progress.update(i + epoch / (epochs() + setup_.options.rank_one_epoch));
  }

  // In the log first: what the store holds is not done again.
  void keep(std::size_t i) {
    const nas::Measured& network = networks_[i];
    if (is_whole(network)) {
      Json row{{"architecture", Json::parse(plans_[i].architecture.to_json())},
               {"params", network.params},
               {"macs", network.macs},
               {"predicted_loss", network.predicted_loss()},
               {"predicted_accuracy", network.predicted_accuracy},
               {"trained_accuracy", network.trained_accuracy}};
      if (network.one_epoch_loss) row["one_epoch_loss"] = *network.one_epoch_loss;
      ledger_.log.json.write("rank_sample", row);
    }
    ledger_.store.save_rank_network(i, plans_[i].architecture, network, ledger_.lap());
  }

  SearchSetup& setup_;
  Ledger& ledger_;
  std::vector<nas::NetworkPlan> plans_;
  std::vector<nas::Measured> networks_;  // those that are done, and at the end perhaps one that is half done
  std::vector<nas::Score> predicted_;
};

}  // namespace

RankSample train_rank_sample(SearchSetup& setup, Ledger& ledger) {
  if (setup.options.rank_sample == 0) {
    ledger.store.finish(nas::Phase::rank_sample, {});
    return {};
  }
  RankSample sample{.networks = RankTraining(setup, ledger).train(), .agreement = {}};
  ledger.store.finish(nas::Phase::rank_sample, ledger.lap());
  sample.agreement = nas::rank_agreement(sample.networks, setup.options.seed);
  return sample;
}

std::vector<Finalist> train_finalists(SearchSetup& setup, Ledger& ledger, const Evolution& evolution) {
  const SearchOptions& options = setup.options;
  if (options.finalists == 0) {
    ledger.store.finish(nas::Phase::finalists, {});
    return {};
  }
  const std::vector<nas::Candidate> chosen = nas::choose_finalists(evolution.evaluated, options.finalists);
  const std::vector<nas::Rung> rungs =
      nas::halving_schedule(chosen.size(), options.finalist_epochs, options.halvings);
  double total = 0, done = 0;  // epochs
  for (const nas::Rung& rung : rungs) total += rung.networks * rung.epochs;
  std::int64_t trained = 0;  // trainings, over all rungs
  Progress& progress = ledger.log.progress;
  progress.begin("finalists", total, "epochs");
  const nas::HalvingResult result = nas::successive_halving(rungs, [&](std::size_t index, int epochs) {
    const nas::Candidate& finalist = chosen[index];
    const double before = done;
    done += epochs;
    ++trained;
    if (const auto known = ledger.store.trained_accuracy(finalist, epochs)) return *known;
    const nas::NetworkPlan plan = nas::plan_network(finalist.architecture, setup.task);
    const nas::Score score =
        train_network(setup, ledger, plan, {nas::Phase::finalists, epochs, options.seed + 3},
                      [&](double epoch) { progress.update(before + epoch); });
    ledger.log.scalars(trained, {{"finalists/trained_accuracy", score.accuracy},
                                 {"finalists/predicted_accuracy", finalist.predicted_accuracy}});
    ledger.log.json.write(
        "finalist",
        {{"architecture", plan.architecture.id()}, {"epochs", epochs}, {"trained_accuracy", score.accuracy}});
    ledger.store.save_finalist(finalist, epochs, score.accuracy, ledger.lap());
    progress.milestone(done, fmt::format("{} trained to {:.3f}", plan.architecture.id(), score.accuracy));
    return score.accuracy;
  });
  progress.end();
  ledger.store.finish(nas::Phase::finalists, ledger.lap());
  std::vector<Finalist> finalists;
  for (std::size_t index : result.order) {
    finalists.push_back({chosen[index], result.accuracy[index], result.epochs[index]});
  }
  return finalists;
}

}  // namespace adwp::apps
