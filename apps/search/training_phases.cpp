// The phases that train before evolution: the weight source and the rank sample.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/common/main.h"
#include "apps/common/resumable_training.h"
#include "apps/search/search_run.h"
#include "nas/score/structure.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

// Architectures are numbered in each phase, and the numbers of two phases must not meet.
constexpr std::uint64_t rank_sample_stream = std::uint64_t{1} << 40;

std::string loss_text(std::optional<double> loss) { return loss ? fmt::format("loss {:.3f}", *loss) : ""; }

}  // namespace

nas::Evidence evidence_of(const nas::Candidate& network) {
  return {.structure = nas::structure_features(network.architecture, network.params, network.macs),
          .losses = network.predicted_loss ? std::vector{*network.predicted_loss} : std::vector<double>()};
}

nas::Measured measured(const nas::Candidate& network, const nas::Trained& trained) {
  return {.params = network.params,
          .macs = network.macs,
          .evidence = evidence_of(network),
          .predicted_accuracy = network.predicted_accuracy,
          .trained = trained,
          .one_epoch_loss = {}};
}

namespace {

// What training one member of the ensemble of weight sources came to.
struct Member {
  double loss = 0;              // of its last epoch
  std::int64_t arena_peak = 0;  // of this member and those before it
  std::int64_t images_seen = 0;
};

Member train_member(SearchSetup& setup, Ledger& ledger, int member, std::int64_t arena_peak) {
  const std::int64_t epochs = setup.extent.hyper_epochs;
  const std::int64_t before = member * epochs;  // of earlier members
  const std::string name =
      member == 0 ? "hypernetwork.safetensors" : fmt::format("hypernetwork-{}.safetensors", member + 1);
  // The optimizer's state goes back to the arena when this member is trained.
  nas::HyperTrainer trainer(setup.backend, *setup.arena, *setup.sources[member], setup.space, setup.task,
                            setup.train, setup.data.norm,
                            setup.options.hyper_training(setup.task, epochs, member));
  ResumableTraining training(trainer, ledger.log,
                             {.checkpoint = ledger.directory.checkpoints() / name,
                              .epochs = epochs,
                              .resumed = "resumed HyperNetwork training",
                              .learning_rate = "--hyper-lr"});
  // The peak stands in the checkpoint because the store may be lost.
  Member result{.arena_peak = arena_peak, .images_seen = epochs * trainer.images_per_epoch()};
  if (training.loaded()) {
    result.loss = std::stod(training.loaded()->at("loss"));
    result.arena_peak = std::stoll(training.loaded()->at("arena_peak"));
  }
  Progress& progress = ledger.log.progress;
  progress.begin("HyperNetwork", setup.sources.size() * epochs, "epochs", before + training.epochs_done());
  training.run(
      {.facts =
           [&] {
             const nas::PhaseCost cost = ledger.lap();
             result.arena_peak = std::max(result.arena_peak, cost.arena_peak);
             ledger.store.spend(nas::Phase::hypernetwork, cost);
             return ResumableTraining::Facts{{"loss", fmt::format("{}", result.loss)},
                                             {"arena_peak", std::to_string(result.arena_peak)}};
           },
       .show = [&](double done,
                   std::optional<double> so_far) { progress.update(before + done, loss_text(so_far)); },
       .record =
           [&](std::int64_t done, double mean_loss) {
             result.loss = mean_loss;
             ledger.log.scalars(before + done, {{"hypernetwork/loss", mean_loss}});
             ledger.log.json.write("hypernetwork", {{"epoch", before + done}, {"loss", mean_loss}});
           },
       .saved = [&](std::int64_t done) { progress.milestone(before + done, loss_text(result.loss)); }});
  progress.end();
  return result;
}

}  // namespace

HyperTraining train_source(SearchSetup& setup, Ledger& ledger) {
  if (setup.extent.hyper_epochs == 0) {
    ledger.store.finish(nas::Phase::hypernetwork, {});
    return {};
  }
  HyperTraining result;
  std::int64_t peak = 0;  // of the arena
  for (int member = 0; member < std::ssize(setup.sources); ++member) {
    const Member trained = train_member(setup, ledger, member, peak);
    result.final_loss += trained.loss / setup.sources.size();
    result.images_seen += trained.images_seen;
    peak = trained.arena_peak;
  }
  ledger.store.finish(nas::Phase::hypernetwork, {.seconds = ledger.lap().seconds, .arena_peak = peak});
  result.seconds = ledger.store.cost(nas::Phase::hypernetwork).seconds;
  return result;
}

// The rank sample while it grows, network by network.
class RankTraining {
 public:
  RankTraining(SearchSetup& setup, Ledger& ledger)
      : setup_(setup), ledger_(ledger), networks_(ledger.store.rank_sample()) {
    for (int i = 0; i < setup.extent.rank_sample; ++i) {
      Random random(setup.options.seed, Purpose::architecture, rank_sample_stream + i);
      const nas::NetworkPlan& plan = plans_.emplace_back(
          nas::plan_network(setup.space.sample(random, setup.options.limits(), setup.task), setup.task));
      candidates_.push_back({.architecture = plan.architecture,
                             .hash = plan.architecture.hash(),
                             .params = plan.parameters(),
                             .macs = plan.macs()});
    }
    for (std::size_t i = 0; i < std::min(networks_.size(), candidates_.size()); ++i) {
      candidates_[i].predicted_loss = networks_[i].predicted_loss();
      candidates_[i].predicted_accuracy = networks_[i].predicted_accuracy;
    }
  }

  // Lets the other ranks begin: they need no weights for these trainings.
  void begin() {
    std::vector<Training> trainings;
    numbers_.clear();
    for (std::size_t i = first(); i < plans_.size(); ++i) {
      if (i >= networks_.size()) {
        trainings.push_back({plans_[i], schedule(), epochs(), setup_.options.training_seed()});
        numbers_.push_back(2 * i);
      }
      // A training of its own: the cosine schedule of one epoch.
      if (setup_.options.rank_one_epoch) {
        trainings.push_back({plans_[i], {1}, 1, setup_.options.training_seed() + 1});
        numbers_.push_back(2 * i + 1);
      }
    }
    const bool competes = setup_.extent.sample_competes() && !setup_.options.latency_counts();
    trainings_.emplace(setup_, ledger_, nas::Phase::rank_sample, std::move(trainings),
                       competes ? setup_.extent.rungs[1].networks : 0,
                       [this](std::size_t k, const nas::Trained& trained) { take(numbers_[k], trained); });
    trainings_->begin();
  }

  RankSample train() {
    const std::size_t before = first();
    if (before < plans_.size() && setup_.options.predicts()) predict_all();
    Progress& progress = ledger_.log.progress;
    progress.begin("rank sample", plans_.size(), "networks", before);
    const int whole = epochs() + setup_.options.rank_one_epoch;  // epochs of a network
    trainings_->join([&](double done) { progress.update(before + done / whole); });
    progress.end();
    return {.candidates = std::move(candidates_), .networks = std::move(networks_), .agreement = {}};
  }

 private:
  int epochs() const { return setup_.options.rank_epochs; }
  std::vector<std::int64_t> schedule() const {
    if (setup_.extent.sample_competes()) return setup_.extent.schedule(0);
    return {epochs()};
  }
  bool is_whole(const nas::Measured& network) const {
    return !setup_.options.rank_one_epoch || network.one_epoch_loss;
  }

  // The first network that is not whole.
  std::size_t first() const {
    return networks_.empty() || is_whole(networks_.back()) ? networks_.size() : networks_.size() - 1;
  }

  // On this rank: the others train.
  void predict_all() {
    const std::vector<nas::Score> scores = setup_.predict(plans_, [&](double) {
      stop_if_interrupted();
      ledger_.jobs.poll();
    });
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      candidates_[i].predicted_loss = scores[i].loss;
      candidates_[i].predicted_accuracy = scores[i].accuracy;
    }
  }

  void take(std::size_t number, const nas::Trained& trained) {
    const std::size_t i = number / 2;
    if (number % 2 == 0) {
      add(i, trained);
    } else {
      networks_[i].one_epoch_loss = trained.loss;
    }
    keep(i);
    if (is_whole(networks_[i])) milestone(i);
  }

  void add(std::size_t i, const nas::Trained& trained) {
    networks_.push_back(measured(candidates_[i], trained));
    ledger_.log.scalars(i + 1, {{"rank_sample/trained_accuracy", trained.accuracy}});
    if (const auto predicted = candidates_[i].predicted_accuracy)
      ledger_.log.scalars(i + 1, {{"rank_sample/predicted_accuracy", *predicted}});
  }

  void milestone(std::size_t i) {
    const std::optional<double> predicted = networks_[i].predicted_accuracy;
    ledger_.log.progress.milestone(
        i + 1, fmt::format("{}trained {:.3f}", predicted ? fmt::format("predicted {:.3f}, ", *predicted) : "",
                           networks_[i].trained.accuracy));
  }

  // In the log first: what the store holds is not done again.
  void keep(std::size_t i) {
    const nas::Measured& network = networks_[i];
    if (is_whole(network)) {
      Json row{{"architecture", Json::parse(plans_[i].architecture.to_json())},
               {"params", network.params},
               {"macs", network.macs},
               {"predicted_loss", number_or_null(network.predicted_loss())},
               {"predicted_accuracy", number_or_null(network.predicted_accuracy)},
               {"trained_accuracy", network.trained.accuracy},
               {"trained_loss", network.trained.loss}};
      if (network.one_epoch_loss) row["one_epoch_loss"] = *network.one_epoch_loss;
      ledger_.log.json.write("rank_sample", row);
    }
    ledger_.store.save_rank_network(i, plans_[i].architecture, network, ledger_.lap());
  }

  SearchSetup& setup_;
  Ledger& ledger_;
  std::vector<nas::NetworkPlan> plans_;
  std::vector<nas::Candidate> candidates_;  // of the plans, in order
  std::vector<nas::Measured> networks_;  // those that are done, and at the end perhaps one that is half done
  std::vector<std::size_t> numbers_;     // of the trainings: twice a network's, one more for one epoch
  std::optional<Trainings> trainings_;
};

std::shared_ptr<RankTraining> begin_rank_sample(SearchSetup& setup, Ledger& ledger) {
  const auto training = std::make_shared<RankTraining>(setup, ledger);
  training->begin();
  return training;
}

RankSample train_rank_sample(SearchSetup& setup, Ledger& ledger, RankTraining& training) {
  const auto judged = [&](RankSample sample) {
    sample.agreement = nas::rank_agreement(sample.networks, setup.options.seed, setup.options.predicts());
    return sample;
  };
  if (setup.extent.rank_sample == 0) {
    ledger.store.finish(nas::Phase::rank_sample, {});
    return judged({});
  }
  RankSample sample = training.train();
  ledger.store.finish(nas::Phase::rank_sample, ledger.lap());
  return judged(std::move(sample));
}

}  // namespace adwp::apps
