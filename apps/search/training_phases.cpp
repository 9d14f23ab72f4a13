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

nas::Measured measured(const nas::Candidate& network, double trained_accuracy) {
  return {.params = network.params,
          .macs = network.macs,
          .evidence = evidence_of(network),
          .predicted_accuracy = network.predicted_accuracy,
          .trained_accuracy = trained_accuracy,
          .one_epoch_loss = {}};
}

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

nas::Evidence evidence_of(const nas::Candidate& network) {
  return {.structure = nas::structure_features(network.architecture, network.params, network.macs),
          .losses = {network.predicted_loss}};
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
      const nas::NetworkPlan& plan =
          plans_.emplace_back(nas::plan_network(setup.space.sample(random), setup.task));
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

  RankSample train() {
    const std::size_t first =
        networks_.empty() || is_whole(networks_.back()) ? networks_.size() : networks_.size() - 1;
    if (first < plans_.size()) predict();
    Progress& progress = ledger_.log.progress;
    progress.begin("rank sample", plans_.size(), "networks", first);
    for (std::size_t i = first; i < plans_.size(); ++i) {
      if (i == networks_.size()) train_for_all_epochs(i);
      if (!is_whole(networks_[i])) train_one_epoch(i);
      progress.milestone(i + 1, fmt::format("predicted {:.3f}, trained {:.3f}",
                                            networks_[i].predicted_accuracy, networks_[i].trained_accuracy));
    }
    progress.end();
    return {.candidates = std::move(candidates_), .networks = std::move(networks_), .agreement = {}};
  }

 private:
  int epochs() const { return setup_.options.rank_epochs; }
  std::uint64_t seed() const { return setup_.options.seed + 1; }
  bool is_whole(const nas::Measured& network) const {
    return !setup_.options.rank_one_epoch || network.one_epoch_loss;
  }

  void predict() {
    const std::vector<nas::Score> scores =
        setup_.evaluator->evaluate(*setup_.source, plans_, stop_if_interrupted);
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      candidates_[i].predicted_loss = scores[i].loss;
      candidates_[i].predicted_accuracy = scores[i].accuracy;
    }
  }

  void train_for_all_epochs(std::size_t i) {
    const nas::Score trained =
        train_network(setup_, ledger_, plans_[i], {nas::Phase::rank_sample, epochs(), seed()},
                      [&](double epoch) { show(i, epoch); });
    networks_.push_back(measured(candidates_[i], trained.accuracy));
    ledger_.log.scalars(i + 1, {{"rank_sample/predicted_accuracy", candidates_[i].predicted_accuracy},
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
  std::vector<nas::Candidate> candidates_;  // of the plans, in order
  std::vector<nas::Measured> networks_;  // those that are done, and at the end perhaps one that is half done
};

}  // namespace

RankSample train_rank_sample(SearchSetup& setup, Ledger& ledger) {
  if (setup.options.rank_sample == 0) {
    ledger.store.finish(nas::Phase::rank_sample, {});
    return {};
  }
  RankSample sample = RankTraining(setup, ledger).train();
  ledger.store.finish(nas::Phase::rank_sample, ledger.lap());
  sample.agreement = nas::rank_agreement(sample.networks, setup.options.seed);
  return sample;
}

namespace {

// The last part of the funnel: networks trained for real, in rungs that grow longer.
//
// The first rung trains the candidates that the score puts first, for as long as the rank sample was trained.
// Between its parts the score is fitted again, to what is trained by then, and chooses anew among the
// candidates. The rank sample has been trained for as long: where it holds better networks, those go on to
// the later rungs, so that a search never ends with less than its random networks. The later rungs are
// successive halving.
class Funnel {
 public:
  Funnel(SearchSetup& setup, Ledger& ledger, const RankSample& sample, const Evolution& evolution)
      : setup_(setup),
        ledger_(ledger),
        sample_(sample),
        open_(evolution.evaluated),
        rungs_(nas::halving_schedule(std::min<std::size_t>(setup.options.finalists, open_.size()),
                                     setup.options.finalist_epochs, setup.options.halvings)),
        sample_competes_(!sample.networks.empty() && rungs_.size() > 1) {
    if (sample_competes_) rungs_.front().epochs = setup.options.rank_epochs;
  }

  std::vector<Finalist> run() {
    double total = 0;  // epochs
    for (const nas::Rung& rung : rungs_) total += rung.networks * rung.epochs;
    ledger_.log.progress.begin("finalists", total, "epochs");
    first_rung();
    if (sample_competes_) add_sample();
    std::stable_sort(field_.begin(), field_.end(), [](const Finalist& a, const Finalist& b) {
      return a.trained_accuracy > b.trained_accuracy;
    });
    if (rungs_.size() > 1) later_rungs();
    std::erase_if(field_, [&](const Finalist& f) { return f.sampled && f.epochs == rungs_.front().epochs; });
    ledger_.log.progress.end();
    return std::move(field_);
  }

 private:
  void first_rung() {
    const nas::Rung& rung = rungs_.front();
    const int parts = sample_competes_ ? setup_.options.refits + 1 : 1;
    std::vector<nas::Measured> known = sample_.networks;
    for (int part = 1; part <= parts; ++part) {
      if (part > 1) score_again(nas::SearchScore(known));
      const std::size_t until = rung.networks * part / parts;
      for (const nas::Candidate& c : nas::choose_finalists(open_, until - field_.size())) {
        field_.push_back({.candidate = c, .trained_accuracy = train(c, rung.epochs), .epochs = rung.epochs});
        known.push_back(measured(c, field_.back().trained_accuracy));
        std::erase_if(open_, [&](const nas::Candidate& other) { return other.hash == c.hash; });
      }
    }
  }

  void score_again(const nas::SearchScore& score) {
    for (nas::Candidate& c : open_) c.score = score.of(evidence_of(c));
  }

  // Those within the limits, which the sample was drawn without; their latency is not known.
  void add_sample() {
    if (setup_.options.latency_counts()) return;
    for (std::size_t i = 0; i < sample_.candidates.size(); ++i) {
      const nas::Candidate& c = sample_.candidates[i];
      const bool trained = std::any_of(field_.begin(), field_.end(),
                                       [&](const Finalist& f) { return f.candidate.hash == c.hash; });
      if (trained || !setup_.options.limits().admit(nas::plan_network(c.architecture, setup_.task))) continue;
      field_.push_back({.candidate = c,
                        .trained_accuracy = sample_.networks[i].trained_accuracy,
                        .epochs = rungs_.front().epochs,
                        .sampled = true});
    }
  }

  // The best of the field, trained anew for longer each time: a cosine schedule belongs to its length.
  void later_rungs() {
    std::vector<nas::Rung> rungs(rungs_.begin() + 1, rungs_.end());
    rungs.front().networks = std::min(rungs.front().networks, field_.size());
    const nas::HalvingResult result = nas::successive_halving(
        rungs, [&](std::size_t index, int epochs) { return train(field_[index].candidate, epochs); });
    std::vector<Finalist> order;
    for (const std::size_t index : result.order) {
      order.push_back(field_[index]);
      order.back().trained_accuracy = result.accuracy[index];
      order.back().epochs = result.epochs[index];
    }
    std::copy(order.begin(), order.end(), field_.begin());
  }

  // The accuracy of a finalist on the validation split, trained from scratch.
  double train(const nas::Candidate& finalist, int epochs) {
    Progress& progress = ledger_.log.progress;
    const double before = done_;
    done_ += epochs;
    ++trainings_;
    if (const auto known = ledger_.store.trained_accuracy(finalist, epochs)) return *known;
    const nas::NetworkPlan plan = nas::plan_network(finalist.architecture, setup_.task);
    const double accuracy =
        train_network(setup_, ledger_, plan, {nas::Phase::finalists, epochs, setup_.options.seed + 3},
                      [&](double epoch) { progress.update(before + epoch); })
            .accuracy;
    ledger_.log.scalars(trainings_, {{"finalists/trained_accuracy", accuracy},
                                     {"finalists/predicted_accuracy", finalist.predicted_accuracy}});
    ledger_.log.json.write(
        "finalist",
        {{"architecture", plan.architecture.id()}, {"epochs", epochs}, {"trained_accuracy", accuracy}});
    ledger_.store.save_finalist(finalist, epochs, accuracy, ledger_.lap());
    progress.milestone(done_, fmt::format("{} trained to {:.3f}", plan.architecture.id(), accuracy));
    return accuracy;
  }

  SearchSetup& setup_;
  Ledger& ledger_;
  const RankSample& sample_;
  std::vector<nas::Candidate> open_;  // scored, not yet trained
  std::vector<nas::Rung> rungs_;
  bool sample_competes_;         // it was trained for as long as the first rung trains
  std::vector<Finalist> field_;  // trained
  double done_ = 0;              // epochs
  std::int64_t trainings_ = 0;
};

}  // namespace

std::vector<Finalist> train_finalists(SearchSetup& setup, Ledger& ledger, const RankSample& sample,
                                      const Evolution& evolution) {
  std::vector<Finalist> finalists;
  if (setup.options.finalists > 0) finalists = Funnel(setup, ledger, sample, evolution).run();
  ledger.store.finish(nas::Phase::finalists, ledger.lap());
  return finalists;
}

}  // namespace adwp::apps
