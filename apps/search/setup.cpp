#include "apps/search/setup.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "apps/common/devices.h"
#include "apps/common/event_file.h"
#include "apps/common/settings.h"
#include "framework/core/error.h"
#include "framework/core/fnv.h"
#include "nas/evaluation/evaluator.h"
#include "nas/weights/hypernetwork.h"
#include "nas/weights/parameter_weights.h"

namespace adwp::apps {
namespace {

// Random numbers of require_fast_enough(); generations have the small step numbers.
constexpr std::uint64_t latency_stream = std::uint64_t{1} << 41;

constexpr const char* budget_fact = "budget-epochs";  // in config.toml: what --budget-minutes came to

}  // namespace

SearchSetup::SearchSetup(Backend& device, const SearchOptions& given,
                         const std::optional<std::filesystem::path>& config, Progress& progress)
    : backend(device),
      options(given),
      space(nas::SearchSpace::open(options.space)),
      data(data::load_training_data(data::parse_data_spec(options.data), options.seed, options.validation,
                                    reading_on(progress))),
      task{data.train.height, data.train.channels, std::ssize(data.classes)} {
  progress.end();
  for (const std::string& note : data::notes_on(data)) progress.say("data: " + note);
  if (options.tensorboard) EventFile::require_supported();
  latencies = std::make_unique<LatencyTable>(full_name(backend), task.image_size);
  if (!options.latencies.empty()) latencies->take(options.latencies);
  if (options.max_params > 0 || options.max_macs > 0) {  // can they be met? Ask before training
    Random random(options.seed, Purpose::evolution, 0);
    space.sample(random, options.limits(), task);
  }
  budget = options.budget_epochs;
  if (options.budget_minutes > 0) {
    if (budget > 0) fail_usage("budget", "got --budget-epochs and --budget-minutes, expected one of them");
    const auto known = config ? Settings::found_in(*config, budget_fact) : std::nullopt;
    budget = known ? std::stod(*known)
                   : std::max(1.0, std::round(60 * options.budget_minutes / seconds_per_epoch(progress)));
  }
  extent = budget > 0 ? extent_within(options, budget, data.train.count(), data.validation.count())
                      : extent_of(options);
  const std::string run = fmt::format("{}: {} training and {} validation images of {} x {} in {} classes",
                                      data.name, data.train.count(), data.validation.count(), task.image_size,
                                      task.image_size, task.classes);
  arena = measured_arena(backend, {[this](Arena& counting) { lay_out(counting); }, 8, run}, options.arena_mb,
                         [&](const std::string& line) { progress.say(line); });
  train = data::DeviceImages::upload(*arena, data.train);
  validation = data::DeviceImages::upload(*arena, data.validation);
  for (int member = 0; member < options.hypernetworks; ++member)
    sources.push_back(make_source(*arena, member));
  evaluator = make_evaluator(*arena, validation);
  if (options.max_latency_us > 0 && !config) require_fast_enough();
}

std::unique_ptr<nas::WeightSource> SearchSetup::make_source(Arena& in, int member) const {
  const std::uint64_t seed = options.source_seed(member);
  if (options.weights == "shared") {
    return std::make_unique<nas::SharedWeights>(in, space, task, seed);
  }
  return std::make_unique<nas::HyperNetwork>(
      in, space, task,
      nas::HyperNetworkOptions{.width = options.hyper_width,
                               .shared_kernel = options.shared_kernel,
                               .predict_norm = !options.fixed_norm,
                               .network_code = !options.layer_code_only},
      seed);
}

std::unique_ptr<nas::Evaluator> SearchSetup::make_evaluator(Arena& in,
                                                            const data::DeviceImages& images) const {
  const std::int64_t most = images.count();
  const std::int64_t scored = options.score_images > 0 ? std::min(options.score_images, most) : most;
  return std::make_unique<nas::Evaluator>(backend, in, images.first(scored), data.norm,
                                          options.evaluation_batch,
                                          std::max(options.population, extent.rank_sample));
}

// Everything that the search will hold; steps are those of the space's widest networks.
void SearchSetup::lay_out(Arena& counting) const {
  const auto reserve = [&](const data::ImageSet& set) {
    return data::DeviceImages::reserve(counting, set.count(), set.height, set.width, set.channels);
  };
  const data::DeviceImages train_room = reserve(data.train), validation_room = reserve(data.validation);
  std::vector<std::unique_ptr<nas::WeightSource>> rooms;
  for (int member = 0; member < options.hypernetworks; ++member)
    rooms.push_back(make_source(counting, member));
  nas::WeightSource& any_source = *rooms.front();
  const std::unique_ptr<nas::Evaluator> any_evaluator = make_evaluator(counting, validation_room);
  nas::HyperTrainer trainer(backend, counting, any_source, space, task, train_room, data.norm,
                            options.hyper_training(task, extent.hyper_epochs, 0));
  const Tensor score(counting, Shape{1, 2});
  for (const nas::Architecture& network : space.widest_networks()) {
    const nas::NetworkPlan plan = nas::plan_network(network, task);
    trainer.dry_step(counting, any_source, plan);
    any_evaluator->enqueue(counting, any_source, std::span(&plan, 1), score);
    nas::NetworkTrainer::dry_run(backend, counting, plan, train_room, data.norm,
                                 options.network_training(task, 1, 0), options.evaluation_batch);
  }
}

std::vector<nas::Score> SearchSetup::predict(std::span<const nas::NetworkPlan> plans,
                                             const std::function<void(double)>& show) {
  std::vector<nas::Score> means(plans.size());
  const double share = 1.0 / sources.size();
  double begun = 0;
  for (const std::unique_ptr<nas::WeightSource>& source : sources) {
    const std::vector<nas::Score> scores =
        evaluator->evaluate(*source, plans, [&] { show(begun++ / plans.size() * share); });
    for (std::size_t i = 0; i < plans.size(); ++i) {
      means[i].loss += share * scores[i].loss;
      means[i].accuracy += share * scores[i].accuracy;
    }
  }
  return means;
}

double SearchSetup::latency(const nas::NetworkPlan& plan, std::int64_t batch) {
  return latencies->of(
      plan, batch, [&] { return nas::LatencyMeter(backend, *arena, *sources.front()).measure(plan, batch); });
}

// Asked before training, because training is expensive. The weights do not matter to the time.
void SearchSetup::require_fast_enough() {
  constexpr int samples = 200;
  double fastest = std::numeric_limits<double>::infinity();
  Random random(options.seed, Purpose::evolution, latency_stream);
  for (int i = 0; i < samples; ++i) {
    const nas::Architecture network = space.sample(random, options.limits(), task);
    fastest = std::min(fastest, latency(nas::plan_network(network, task), 1));
    if (fastest <= options.max_latency_us) return;
  }
  fail_usage("search",
             "no network of the space is fast enough, got --max-latency-us {}, expected at least {:.0f}, "
             "which is the fastest of {} tried",
             options.max_latency_us, std::ceil(fastest), samples);
}

std::vector<std::pair<std::string, std::string>> SearchSetup::found() const {
  std::vector<std::pair<std::string, std::string>> facts{
      {"device", bits_name(backend)},
      {"data", data::fingerprint(data)},
      {"space", fmt::format("{:016x}", fnv1a(space.to_toml()))},
      augmentation_fact(options.network_training(task, 1, 0).augmentation)};
  if (options.budget_minutes > 0) facts.emplace_back(budget_fact, fmt::format("{:.0f}", budget));
  if (!options.latencies.empty()) {
    facts.emplace_back("latencies", fmt::format("{:016x}", latencies->fingerprint_of_taken()));
  }
  return facts;
}

Ledger::Ledger(const RunDirectory& run_directory, RunLog& run_log, const Arena& arena, parallel::Group& ranks,
               parallel::Jobs& shared)
    : directory(run_directory),
      log(run_log),
      group(ranks),
      jobs(shared),
      store(run_directory.database().string()),
      arena_(arena),
      lap_(std::chrono::steady_clock::now()) {}

nas::PhaseCost Ledger::lap() {
  const auto now = std::chrono::steady_clock::now();
  nas::PhaseCost cost;
  cost.seconds = std::chrono::duration<double>(now - lap_).count();
  cost.arena_peak = std::max(arena_.peak(), peak_elsewhere_);
  lap_ = now;
  return cost;
}

}  // namespace adwp::apps
