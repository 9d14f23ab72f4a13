// The phase that trains what evolution found: the finalists.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/common/main.h"
#include "apps/search/search_run.h"

namespace adwp::apps {
namespace {

// The last part of the funnel: networks trained for real, in rungs that grow longer.
//
// The first rung trains the candidates that the score puts first, for as long as the rank sample was trained.
// Between its parts the score is fitted again, to what is trained by then, and chooses anew among the
// candidates. The rank sample has been trained for as long: where it holds better networks, those go on to
// the later rungs. (Not with a single rung, nor where latency counts, which the sample was not measured for.)
// The later rungs are successive halving, and go on from the rung before where they are long enough
// (nas::go_on).
class Funnel {
 public:
  Funnel(SearchSetup& setup, Ledger& ledger, const RankSample& sample, const Evolution& evolution)
      : setup_(setup),
        ledger_(ledger),
        sample_(sample),
        open_(evolution.evaluated),
        rungs_(setup.extent.rungs) {
    rungs_.front().networks = std::min(rungs_.front().networks, open_.size());
  }

  std::vector<Finalist> run() {
    double total = 0;  // epochs
    for (const nas::Rung& rung : rungs_) total += rung.networks * (rung.epochs - rung.from);
    ledger_.log.progress.begin("finalists", total, "epochs");
    first_rung();
    if (setup_.extent.sample_competes()) add_sample();
    std::stable_sort(field_.begin(), field_.end(), [&](const Finalist& a, const Finalist& b) {
      return nas::is_better(a.trained, b.trained, rungs_.size() == 1);
    });
    const std::size_t further = rungs_.size() > 1 ? later_rungs() : 0;
    field_.erase(
        std::remove_if(field_.begin() + further, field_.end(), [](const Finalist& f) { return f.sampled; }),
        field_.end());
    ledger_.log.progress.end();
    return std::move(field_);
  }

 private:
  void first_rung() {
    const nas::Rung& rung = rungs_.front();
    const int parts = setup_.extent.sample_competes() ? setup_.options.refits + 1 : 1;
    std::vector<nas::Measured> known = sample_.networks;
    for (int part = 1; part <= parts; ++part) {
      if (part > 1) score_again(nas::SearchScore(known, setup_.options.predicts()));
      const std::size_t until = rung.networks * part / parts;
      const std::vector<nas::Candidate> chosen = nas::choose_finalists(open_, until - field_.size());
      const std::vector<nas::Trained> trained = train(chosen, rung);
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        const nas::Candidate& c = chosen[i];
        field_.push_back({.candidate = c, .trained = trained[i], .epochs = rung.epochs});
        known.push_back(measured(c, trained[i]));
        std::erase_if(open_, [&](const nas::Candidate& other) { return other.hash == c.hash; });
      }
    }
  }

  void score_again(const nas::SearchScore& score) {
    for (nas::Candidate& c : open_) c.score = score.of(evidence_of(c));
  }

  // The latency of the sample's networks is not known.
  void add_sample() {
    if (setup_.options.latency_counts()) return;
    for (std::size_t i = 0; i < sample_.candidates.size(); ++i) {
      const nas::Candidate& c = sample_.candidates[i];
      const bool trained = std::any_of(field_.begin(), field_.end(),
                                       [&](const Finalist& f) { return f.candidate.hash == c.hash; });
      if (trained) continue;
      field_.push_back({.candidate = c,
                        .trained = sample_.networks[i].trained,
                        .epochs = rungs_.front().epochs,
                        .sampled = true});
    }
  }

  // The best of the field, trained for longer each time. Returns how many.
  std::size_t later_rungs() {
    std::vector<nas::Rung> rungs(rungs_.begin() + 1, rungs_.end());
    rungs.front().networks = std::min(rungs.front().networks, field_.size());
    const nas::HalvingResult result =
        nas::successive_halving(rungs, [&](std::span<const std::size_t> indices, const nas::Rung& rung) {
          std::vector<nas::Candidate> chosen;
          for (const std::size_t index : indices) chosen.push_back(field_[index].candidate);
          return train(chosen, rung);
        });
    std::vector<Finalist> order;
    for (const std::size_t index : result.order) {
      order.push_back(field_[index]);
      order.back().trained = result.trained[index];
      order.back().epochs = result.epochs[index];
    }
    std::copy(order.begin(), order.end(), field_.begin());
    return order.size();
  }

  // Those that the store does not know yet.
  std::vector<nas::Trained> train(const std::vector<nas::Candidate>& finalists, const nas::Rung& rung) {
    const int epochs = rung.epochs, further_epochs = rung.epochs - rung.from;
    const std::size_t number = number_of(rung);
    const std::vector<std::int64_t> schedule = setup_.extent.schedule(number);
    const std::size_t further = number + 1 < rungs_.size() ? rungs_[number + 1].networks : 0;
    std::vector<nas::Trained> outcomes(finalists.size());
    std::vector<Training> trainings;
    const std::int64_t first = trainings_ + 1;  // number of the first finalist
    std::vector<std::size_t> places;            // of the trainings, among the finalists
    for (std::size_t i = 0; i < finalists.size(); ++i) {
      ++trainings_;
      if (const auto known = ledger_.store.trained(finalists[i], epochs)) {
        outcomes[i] = *known;
        done_ += further_epochs;
        continue;
      }
      trainings.push_back({.plan = nas::plan_network(finalists[i].architecture, setup_.task),
                           .schedule = schedule,
                           .epochs = epochs,
                           .seed = setup_.options.training_seed()});
      places.push_back(i);
    }
    const double before = done_;
    const auto take = [&](std::size_t k, const nas::Trained& trained) {
      outcomes[places[k]] = trained;
      done_ += further_epochs;
      keep(finalists[places[k]], first + places[k], epochs, trained);
    };
    Trainings shared(setup_, ledger_, nas::Phase::finalists, std::move(trainings), further, take);
    shared.show_with([&](double done) { ledger_.log.progress.update(before + done); });
    ledger_.jobs.run(shared.batch(), [] { stop_if_interrupted(); });
    return outcomes;
  }

  // Rungs of one length train alike: the last of them stands for all.
  std::size_t number_of(const nas::Rung& rung) const {
    std::size_t number = rungs_.size() - 1;
    while (rungs_[number].epochs != rung.epochs) --number;
    return number;
  }

  void keep(const nas::Candidate& finalist, std::int64_t number, int epochs, const nas::Trained& trained) {
    const std::string id = finalist.architecture.id();
    ledger_.log.scalars(number, {{"finalists/trained_accuracy", trained.accuracy}});
    if (finalist.predicted_accuracy)
      ledger_.log.scalars(number, {{"finalists/predicted_accuracy", *finalist.predicted_accuracy}});
    ledger_.log.json.write("finalist", {{"architecture", id},
                                        {"epochs", epochs},
                                        {"trained_accuracy", trained.accuracy},
                                        {"trained_loss", trained.loss}});
    ledger_.store.save_finalist(finalist, epochs, trained, ledger_.lap());
    ledger_.log.progress.milestone(done_, fmt::format("{} trained to {:.3f}", id, trained.accuracy));
  }

  SearchSetup& setup_;
  Ledger& ledger_;
  const RankSample& sample_;
  std::vector<nas::Candidate> open_;  // scored, not yet trained
  std::vector<nas::Rung> rungs_;
  std::vector<Finalist> field_;  // trained
  double done_ = 0;              // epochs
  std::int64_t trainings_ = 0;
};

}  // namespace

std::vector<Finalist> train_finalists(SearchSetup& setup, Ledger& ledger, const RankSample& sample,
                                      const Evolution& evolution) {
  std::vector<Finalist> finalists;
  if (!setup.extent.rungs.empty()) finalists = Funnel(setup, ledger, sample, evolution).run();
  ledger.store.finish(nas::Phase::finalists, ledger.lap());
  discard_trainings(ledger.directory);
  return finalists;
}

}  // namespace adwp::apps
