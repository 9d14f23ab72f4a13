// How much each phase of a search trains: as the options say, or as a budget allows.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "apps/common/devices.h"
#include "apps/search/setup.h"
#include "framework/core/error.h"

namespace adwp::apps {
namespace {

constexpr double share_of_weights = 0.25;   // of a budget, for the weight source
constexpr double cost_of_scoring = 1. / 3;  // of an image, of what training on it costs: forward only

// Random numbers of seconds_per_epoch(); generations have the small step numbers.
constexpr std::uint64_t timing_stream = std::uint64_t{1} << 42;

// Epochs of rung `number` of `halvings` + 1: from the rank sample's to the last rung's, by equal factors.
int epochs_of_rung(const SearchOptions& options, int number) {
  const double first = std::min(options.rank_epochs, options.finalist_epochs), last = options.finalist_epochs;
  if (number == options.halvings) return options.finalist_epochs;
  return std::lround(first * std::pow(last / first, static_cast<double>(number) / options.halvings));
}

}  // namespace

std::vector<std::int64_t> Extent::schedule(std::size_t number) const {
  std::size_t first = number, end = number + 1;
  while (rungs[first].from > 0) --first;
  while (end < rungs.size() && rungs[end].from > 0) ++end;
  std::vector<std::int64_t> epochs;
  for (std::size_t i = first; i < end; ++i) epochs.push_back(rungs[i].epochs);
  return epochs;
}

Extent extent_of(const SearchOptions& options) {
  Extent extent{.hyper_epochs = options.hyper_epochs, .rank_sample = options.rank_sample, .rungs = {}};
  if (options.finalists > 0)
    extent.rungs = nas::halving_schedule(options.finalists, options.finalist_epochs, options.halvings);
  if (extent.sample_competes()) extent.rungs.front().epochs = options.rank_epochs;
  nas::go_on(extent.rungs);
  return extent;
}

Extent extent_within(const SearchOptions& options, double epochs, std::int64_t train,
                     std::int64_t validation) {
  Extent extent;
  double left = epochs;
  if (options.predicts()) {
    const double cost = cost_of_weights * options.architectures_per_step * options.hypernetworks;
    extent.hyper_epochs = std::max<std::int64_t>(1, share_of_weights * epochs / cost);
    const double images = options.score_images > 0 ? std::min(options.score_images, validation) : validation;
    const double candidates = options.population * (options.generations + 1.0);
    left -= extent.hyper_epochs * cost;
    left -= candidates * images / train * cost_of_scoring * options.hypernetworks;
  }
  const double share = left / (options.halvings + 1);        // of each rung
  const double sampled = options.rank_sample > 0 ? 0.5 : 0;  // of the networks of the first rung
  for (int rung = 0; rung <= options.halvings; ++rung)
    extent.rungs.push_back({.epochs = epochs_of_rung(options, rung)});
  nas::go_on(extent.rungs);
  for (nas::Rung& rung : extent.rungs) {
    const bool first = &rung == &extent.rungs.front();
    const double cost =
        rung.epochs - rung.from + (first && options.rank_one_epoch ? sampled : 0);  // of a network
    const double networks = std::floor(share / cost);
    if (networks < 1) {
      fail_usage(
          "budget",
          "too small, got {:.0f} epochs, of which {:.0f} are left for a rung of {} epochs; give more, or "
          "lower --finalist-epochs, --halvings or --score-images",
          epochs, std::max(share, 0.0), cost);
    }
    rung.networks = static_cast<std::size_t>(networks);
  }
  nas::Rung& first = extent.rungs.front();
  extent.rank_sample = first.networks * sampled;
  first.networks -= extent.rank_sample;
  return extent;
}

// Chosen networks are larger than random ones, so half of those timed are the largest of many.
double SearchSetup::seconds_per_epoch(Progress& progress) const {
  constexpr int sampled = 64, timed = 8, warm_up = 2, steps = 5;
  Random random(options.seed, Purpose::evolution, timing_stream);
  std::vector<nas::NetworkPlan> plans;
  for (int i = 0; i < sampled; ++i)
    plans.push_back(nas::plan_network(space.sample(random, options.limits(), task), task));
  std::stable_sort(plans.begin() + timed / 2, plans.end(),
                   [](const nas::NetworkPlan& a, const nas::NetworkPlan& b) { return a.macs() > b.macs(); });
  plans.erase(plans.begin() + timed, plans.end());

  double seconds = 0;
  nas::NetworkTrainingOptions training = options.network_training(task, 1, 0);
  training.sampling = data::Sampling::each_once;  // its images have no labels
  const auto step_of = [&](Arena& in, const nas::NetworkPlan& plan, bool counts) {
    const Arena::Frame frame(in);
    const data::DeviceImages images =
        data::DeviceImages::reserve(in, options.batch, task.image_size, task.image_size, task.channels);
    nas::NetworkTrainer trainer(backend, in, plan, images, data.norm, training);
    const Tensor x(in, Shape{options.batch, task.image_size, task.image_size, task.channels});
    const Tensor y(in, Shape{options.batch}, DType::i32);
    if (counts) {
      nas::NetworkTrainer::dry_run(backend, in, plan, images, data.norm, training, options.evaluation_batch);
      return;
    }
    x.zero();
    y.zero();
    for (int step = 0; step < warm_up; ++step) trainer.train_step(x, y, 0);
    const double batches = static_cast<double>(data.train.count()) / options.batch;
    seconds += backend.seconds([&] {
      for (int step = 0; step < steps; ++step) trainer.train_step(x, y, 0);
    }) / steps *
               batches / timed;
  };
  const auto lay_out_all = [&](Arena& counting) {
    for (const nas::NetworkPlan& plan : plans) step_of(counting, plan, true);
  };
  const std::unique_ptr<Arena> room = measured_arena(backend, {lay_out_all, 8, "budget"}, 0, [](auto&) {});
  for (const nas::NetworkPlan& plan : plans) step_of(*room, plan, false);
  progress.say(fmt::format("an epoch of a network takes about {:.3g} s", seconds));
  return seconds;
}

}  // namespace adwp::apps
