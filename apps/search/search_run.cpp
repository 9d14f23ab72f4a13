#include "apps/search/search_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "apps/common/devices.h"
#include "apps/common/interrupt.h"
#include "framework/core/error.h"
#include "framework/core/fnv.h"
#include "nas/weights/hypernetwork.h"
#include "nas/weights/shared_weights.h"

namespace adwp::apps {
namespace {

// Of what is drawn to see whether a network can be fast enough; generations have the small numbers.
constexpr std::uint64_t latency_stream = std::uint64_t{1} << 41;

}  // namespace

SearchRun::SearchRun(Backend& backend, const SearchOptions& options, const RunDirectory& directory)
    : backend_(backend),
      options_(options),
      directory_(directory),
      progress_(options.quiet),
      log_(directory.log()),
      space_(nas::SearchSpace::open(options.space)),
      data_(data::load_training_data(data::parse_data_spec(options.data), options.seed, options.validation)) {
  if (options.tensorboard) EventFile::require_supported();
  task_ = {data_.train.height, data_.train.channels, static_cast<std::int64_t>(data_.classes.size())};
  if (!options.latencies.empty()) take_latencies();
  if (options.max_params > 0 || options.max_macs > 0) {  // can they be met? Ask before training
    Random random(options.seed, Purpose::evolution, 0);
    space_.sample(random, limits(), task_);
  }
  const std::size_t need = measure_need();
  const std::size_t size = options.arena_mb > 0 ? static_cast<std::size_t>(options.arena_mb) << 20 : need;
  progress_.say(
      fmt::format("{}: {} training and {} validation images of {} x {} in {} classes; device {}; arena "
                  "{} MiB, {} measured",
                  data_.name, data_.train.count(), data_.validation.count(), task_.image_size,
                  task_.image_size, task_.classes, full_name(backend_), size >> 20, need >> 20));
  if (size < need) {
    fail_usage("arena", "too small, got --arena-mb {}, expected at least {}; or lower --batch",
               options.arena_mb, (need >> 20) + 1);
  }
  arena_ = std::make_unique<Arena>(backend, size);
  train_ = data::DeviceImages::upload(*arena_, data_.train);
  validation_ = data::DeviceImages::upload(*arena_, data_.validation);
  source_ = make_source(*arena_);
  evaluator_ =
      std::make_unique<nas::Evaluator>(backend, *arena_, validation_, data_.norm, options.evaluation_batch,
                                       std::max<std::int64_t>(options.population, options.rank_sample));
  if (options.max_latency_us > 0 && !directory.resumes()) require_fast_enough();
}

std::unique_ptr<nas::WeightSource> SearchRun::make_source(Arena& arena) const {
  if (options_.weights == "shared") {
    return std::make_unique<nas::SharedWeights>(arena, space_, task_, options_.seed);
  }
  return std::make_unique<nas::HyperNetwork>(
      arena, space_, task_,
      nas::HyperNetworkOptions{.width = static_cast<int>(options_.hyper_width),
                               .predict_norm = !options_.fixed_norm,
                               .network_code = !options_.layer_code_only},
      options_.seed);
}

nas::Limits SearchRun::limits() const {
  auto limit = [](std::int64_t value) {
    return value > 0 ? std::optional<std::int64_t>(value) : std::nullopt;
  };
  return {limit(options_.max_params), limit(options_.max_macs),
          options_.max_latency_us > 0 ? std::optional(options_.max_latency_us) : std::nullopt};
}

bool SearchRun::latency_counts() const {
  return options_.latency || options_.max_latency_us > 0 || !options_.latencies.empty();
}

double SearchRun::latency(const nas::NetworkPlan& plan, std::int64_t batch) {
  const std::pair key{plan.architecture.hash(), batch};
  const auto known = latencies_.find(key);
  if (known != latencies_.end()) return known->second;
  stop_if_asked();
  const double microseconds = nas::LatencyMeter(backend_, *arena_, *source_).measure(plan, batch);
  latencies_[key] = microseconds;
  if (store_) store_->save({{key, microseconds}}, full_name(backend_), task_.image_size);
  return microseconds;
}

void SearchRun::take_latencies() {
  const std::string& path = options_.latencies;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored) || std::filesystem::is_empty(path, ignored)) {
    fail_usage("search", "no such file, got --latencies {}, expected search.db of a search", path);
  }
  latencies_ = nas::RunStore(path).latencies(full_name(backend_), task_.image_size);
  given_latencies_ = fnv1a_start;
  for (const auto& [of, microseconds] : latencies_) {
    given_latencies_ =
        fnv1a(fmt::format("{:x} {} {}\n", of.first, of.second, microseconds), given_latencies_);
  }
  if (latencies_.empty()) {
    fail_usage("search", "--latencies {} has none for images of {} x {} on this device, {}", path,
               task_.image_size, task_.image_size, full_name(backend_));
  }
}

// Asked before training, for training is dear. The weights do not matter to the time.
void SearchRun::require_fast_enough() {
  constexpr int samples = 200;
  double fastest = std::numeric_limits<double>::infinity();
  Random random(options_.seed, Purpose::evolution, latency_stream);
  for (int i = 0; i < samples; ++i) {
    fastest = std::min(fastest, latency(nas::plan_network(space_.sample(random, limits(), task_), task_), 1));
    if (fastest <= options_.max_latency_us) return;
  }
  fail_usage("search",
             "no network of the space is fast enough, got --max-latency-us {}, expected at least {:.0f}, "
             "which is the fastest of {} tried",
             options_.max_latency_us, std::ceil(fastest), samples);
}

nas::HyperTrainingOptions SearchRun::hyper_options() const {
  return {.epochs = options_.hyper_epochs,
          .batch = options_.batch,
          .architectures_per_step = options_.architectures_per_step,
          .learning_rate = static_cast<float>(options_.hyper_lr),
          .augmentation = {.shift = task_.image_size / 8, .flip = true},
          .seed = options_.seed};
}

nas::NetworkTrainingOptions SearchRun::network_options(int epochs, std::uint64_t seed) const {
  return {.epochs = epochs,
          .batch = options_.batch,
          .learning_rate = static_cast<float>(options_.finalist_lr),
          .augmentation = {.shift = task_.image_size / 8, .flip = true},
          .seed = seed};
}

// Everything this run will hold, laid out in an arena that only counts; steps are those of the
// space's widest networks. An eighth is added, for other networks leave other gaps.
std::size_t SearchRun::measure_need() {
  Arena arena = Arena::counting(backend_);
  const auto reserve = [&](const data::ImageSet& set) {
    return data::DeviceImages::reserve(arena, set.count(), set.height, set.width, set.channels);
  };
  const data::DeviceImages train = reserve(data_.train), validation = reserve(data_.validation);
  const std::unique_ptr<nas::WeightSource> source = make_source(arena);
  nas::Evaluator evaluator(backend_, arena, validation, data_.norm, options_.evaluation_batch,
                           std::max<std::int64_t>(options_.population, options_.rank_sample));
  nas::HyperTrainer trainer(backend_, arena, *source, space_, task_, train, data_.norm, hyper_options());
  const Tensor score(arena, Shape{2});
  for (const nas::Architecture& network : space_.widest_networks()) {
    const nas::NetworkPlan plan = nas::plan_network(network, task_);
    trainer.dry_step(arena, *source, plan);
    evaluator.enqueue(arena, *source, plan, score);
    nas::NetworkTrainer::dry_run(backend_, arena, plan, train, data_.norm, network_options(1, 0),
                                 options_.evaluation_batch);
  }
  return arena.peak() + arena.peak() / 8;
}

std::vector<std::pair<std::string, std::string>> SearchRun::found() const {
  std::vector<std::pair<std::string, std::string>> facts{
      {"device", full_name(backend_)},
      {"data", data::fingerprint(data_)},
      {"space", fmt::format("{:016x}", fnv1a(space_.to_toml()))}};
  if (!options_.latencies.empty()) facts.emplace_back("latencies", fmt::format("{:016x}", given_latencies_));
  return facts;
}

void SearchRun::run() {
  store_.emplace(directory_.database().string());
  lap_ = Clock::now();
  if (options_.tensorboard) events_.emplace(directory_.tensorboard());
  if (latency_counts()) {
    nas::Latencies stored = store_->latencies(full_name(backend_), task_.image_size);
    stored.merge(latencies_);  // what stands in the store stays
    latencies_ = std::move(stored);
    store_->save(latencies_, full_name(backend_), task_.image_size);
  }
  train_source();
  train_rank_sample();
  evolve();
  train_finalists();
  write_results();
}

nas::PhaseCost SearchRun::lap() {
  const auto now = Clock::now();
  const std::chrono::duration<double> seconds = now - lap_;
  lap_ = now;
  return {seconds.count(), static_cast<std::int64_t>(arena_->peak())};
}

void SearchRun::show(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  if (events_) events_->write(step, scalars);
}

void SearchRun::stop_if_asked() const { stop_if_interrupted("search", directory_.config()); }

}  // namespace adwp::apps
