// What is trained before evolution: the weight sources, and beside them the rank sample, which needs no
// weights to be trained, but to be predicted.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/common/main.h"
#include "apps/search/hyper_jobs.h"
#include "apps/search/search_run.h"
#include "nas/score/structure.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

// Architectures are numbered in each phase, and the numbers of two phases must not meet.
constexpr std::uint64_t rank_sample_stream = std::uint64_t{1} << 40;

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
    make_trainings();
  }

  const parallel::Jobs::Batch& batch() const { return trainings_->batch(); }

  // Of a network of the sample; 1 without one.
  double mean_macs() const {
    double sum = 0;
    for (const nas::NetworkPlan& plan : plans_) sum += plan.macs();
    return plans_.empty() ? 1 : sum / plans_.size();
  }

  // Predicts the networks, unless all are done; before the first outcome is taken.
  void predict() {
    const std::size_t before = first();
    if (before < plans_.size() && setup_.options.predicts()) predict_all();
    ledger_.log.progress.begin("rank sample", plans_.size(), "networks", before);
    const int whole = epochs() + setup_.options.rank_one_epoch;  // epochs of a network
    trainings_->show_with([=, this](double done) { ledger_.log.progress.update(before + done / whole); });
  }

  RankSample sample() {
    ledger_.log.progress.end();
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

  void make_trainings() {
    std::vector<Training> trainings;
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

}  // namespace

Preparation prepare(SearchSetup& setup, Ledger& ledger) {
  Preparation result;
  RankTraining sample(setup, ledger);
  std::int64_t peak = 0;  // of the arena, over all members
  const auto weights_are_there = [&] {
    const double seconds = setup.extent.hyper_epochs > 0 ? ledger.lap().seconds : 0;
    ledger.store.finish(nas::Phase::hypernetwork, {.seconds = seconds, .arena_peak = peak});
    result.hyper.seconds = ledger.store.cost(nas::Phase::hypernetwork).seconds;
    sample.predict();
  };
  const auto member_is_there = [&](int member, const Member& trained) {
    result.hyper.final_loss += trained.loss / setup.sources.size();
    result.hyper.images_seen += trained.images_seen;
    peak = std::max(peak, trained.arena_peak);
    if (member + 1 == std::ssize(setup.sources)) weights_are_there();
  };
  const double cost = cost_of_weights * setup.options.architectures_per_step * setup.extent.hyper_epochs;
  const Members members(setup, ledger, cost * sample.mean_macs(), member_is_there);
  if (setup.extent.hyper_epochs == 0) weights_are_there();
  ledger.jobs.run(parallel::in_turn(members.batch(), sample.batch()), [] { stop_if_interrupted(); });
  result.sample = sample.sample();
  ledger.store.finish(nas::Phase::rank_sample,
                      setup.extent.rank_sample > 0 ? ledger.lap() : nas::PhaseCost());
  result.sample.agreement =
      nas::rank_agreement(result.sample.networks, setup.options.seed, setup.options.predicts());
  return result;
}

}  // namespace adwp::apps
