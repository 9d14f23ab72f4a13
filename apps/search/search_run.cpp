#include "apps/search/search_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "apps/common/table.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/checkpoint.h"
#include "framework/version.h"
#include "nas/search/halving.h"
#include "nas/search/pareto.h"
#include "nas/weights/hypernetwork.h"
#include "nas/weights/shared_weights.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr std::size_t most_shown = 20;  // rows of the front's table

// Numbers of architectures differ from phase to phase, and so do the numbers drawn for them.
constexpr std::uint64_t rank_sample_stream = std::uint64_t{1} << 40;

}  // namespace

SearchRun::SearchRun(Backend& backend, const SearchOptions& options, const RunDirectory& directory)
    : backend_(backend),
      options_(options),
      directory_(directory),
      progress_(options.quiet),
      log_(directory.log()),
      space_(nas::SearchSpace::open(options.space)),
      data_(data::load_training_data(data::parse_data_spec(options.data), options.seed, options.validation)) {
  task_ = {data_.train.height, data_.train.channels, static_cast<std::int64_t>(data_.classes.size())};
  if (options.max_params > 0 || options.max_macs > 0) {  // can they be met? Ask before training
    Random random(options.seed, Purpose::evolution, 0);
    space_.sample(random, limits(), task_);
  }
  const std::size_t need = measure_need();
  const std::size_t size = options.arena_mb > 0 ? static_cast<std::size_t>(options.arena_mb) << 20 : need;
  progress_.say(fmt::format(
      "{}: {} training and {} validation images of {} x {} in {} classes; device {} ({}); arena "
      "{} MiB, {} measured",
      data_.name, data_.train.count(), data_.validation.count(), task_.image_size, task_.image_size,
      task_.classes, backend.name(), backend.description(), size >> 20, need >> 20));
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
  return {limit(options_.max_params), limit(options_.max_macs), std::nullopt};
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

void SearchRun::run() {
  const auto start = Clock::now();
  train_source();
  train_rank_sample();
  evolve();
  train_finalists();
  write_results(seconds_since(start));
}

void SearchRun::train_source() {
  const auto start = Clock::now();
  // The optimizer's state goes back to the arena when this phase ends.
  nas::HyperTrainer trainer(backend_, *arena_, *source_, space_, task_, train_, data_.norm, hyper_options());
  const std::string checkpoint = (directory_.checkpoints() / "hypernetwork.safetensors").string();
  std::int64_t first = 0;
  double loss = 0;
  if (directory_.resumes() && std::filesystem::exists(checkpoint)) {
    const auto facts = io::load_checkpoint(checkpoint, source_->parameters(), &trainer.optimizer(), {});
    first = std::stoll(facts.at("epochs"));
    loss = std::stod(facts.at("loss"));
    progress_.say(fmt::format("resumed HyperNetwork training after epoch {}", first));
  }
  progress_.begin("HyperNetwork", static_cast<double>(options_.hyper_epochs), "epochs",
                  static_cast<double>(first));
  for (std::int64_t epoch = first; epoch < options_.hyper_epochs; ++epoch) {
    loss = trainer.run_epoch(
        epoch, [&](double fraction) { progress_.update(static_cast<double>(epoch) + fraction); });
    progress_.milestone(static_cast<double>(epoch + 1), fmt::format("loss {:.3f}", loss));
    log_.write("hypernetwork", {{"epoch", epoch + 1}, {"loss", loss}});
    io::save_checkpoint(checkpoint, source_->parameters(), &trainer.optimizer(), {},
                        {{"epochs", std::to_string(epoch + 1)}, {"loss", fmt::format("{}", loss)}});
  }
  progress_.end();
  hyper_facts_ = {{"epochs", options_.hyper_epochs},
                  {"parameters", source_->parameters().parameters()},
                  {"seconds", seconds_since(start)},
                  {"images_seen", options_.hyper_epochs * trainer.images_per_epoch()},
                  {"final_loss", loss}};
}

nas::Score SearchRun::train_network(const nas::NetworkPlan& plan, int epochs, std::uint64_t seed) {
  const Arena::Frame frame(*arena_);
  nas::NetworkTrainer trainer(backend_, *arena_, plan, train_, data_.norm, network_options(epochs, seed));
  for (int epoch = 0; epoch < epochs; ++epoch) trainer.run_epoch(epoch);
  return trainer.evaluate(validation_, evaluator_->batch());
}

void SearchRun::train_rank_sample() {
  if (options_.rank_sample == 0) return;
  const auto count = static_cast<std::size_t>(options_.rank_sample);
  std::vector<nas::NetworkPlan> plans;
  for (std::size_t i = 0; i < count; ++i) {
    Random random(options_.seed, Purpose::architecture, rank_sample_stream + i);
    plans.push_back(nas::plan_network(space_.sample(random), task_));
  }
  const std::vector<nas::Score> predicted = evaluator_->evaluate(*source_, plans);
  progress_.begin("rank sample", static_cast<double>(count), "networks");
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t seed = options_.seed + 1;
    const nas::Score trained = train_network(plans[i], static_cast<int>(options_.rank_epochs), seed);
    const double one_epoch =
        options_.rank_epochs == 1 ? trained.accuracy : train_network(plans[i], 1, seed + 1).accuracy;
    measured_.push_back({.params = plans[i].parameters(),
                         .macs = plans[i].macs(),
                         .predicted_loss = predicted[i].loss,
                         .predicted_accuracy = predicted[i].accuracy,
                         .trained_accuracy = trained.accuracy,
                         .one_epoch_accuracy = one_epoch});
    progress_.milestone(static_cast<double>(i + 1), fmt::format("predicted {:.3f}, trained {:.3f}",
                                                                predicted[i].accuracy, trained.accuracy));
    log_.write("rank_sample", {{"architecture", Json::parse(plans[i].architecture.to_json())},
                               {"params", plans[i].parameters()},
                               {"macs", plans[i].macs()},
                               {"predicted_loss", predicted[i].loss},
                               {"predicted_accuracy", predicted[i].accuracy},
                               {"one_epoch_accuracy", one_epoch},
                               {"trained_accuracy", trained.accuracy}});
  }
  progress_.end();
  agreement_ = nas::rank_agreement(measured_, options_.seed);
}

void SearchRun::evolve() {
  const auto start = Clock::now();
  const nas::Calibration calibration(measured_);
  const nas::SearchSettings settings{
      .strategy = options_.strategy == "random" ? nas::Strategy::random : nas::Strategy::evolution,
      .population = options_.population,
      .generations = options_.generations,
      .limits = limits(),
      .task = task_,
      .seed = options_.seed};
  nas::Search search(space_, settings, [&](std::span<nas::Candidate> candidates) {
    std::vector<nas::NetworkPlan> plans;
    for (const nas::Candidate& c : candidates) {
      plans.push_back(nas::plan_network(c.architecture, task_));
    }
    const std::vector<nas::Score> scores = evaluator_->evaluate(*source_, plans);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      nas::Candidate& c = candidates[i];
      c.predicted_loss = scores[i].loss;
      c.predicted_accuracy = scores[i].accuracy;
      c.score = calibration.score(c.predicted_loss, c.macs, c.params);
    }
  });
  progress_.begin(options_.strategy, options_.generations + 1, "generations");
  while (search.step()) {
    const nas::SearchState& state = search.state();
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
  state_ = search.state();
  front_ = nas::pareto_front(state_.evaluated);
  const double seconds = seconds_since(start);
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
    const nas::NetworkPlan plan = nas::plan_network(chosen[index].architecture, task_);
    const nas::Score score = train_network(plan, epochs, options_.seed + 3);
    done += epochs;
    progress_.milestone(done, fmt::format("{} trained to {:.3f}", plan.architecture.id(), score.accuracy));
    log_.write(
        "finalist",
        {{"architecture", plan.architecture.id()}, {"epochs", epochs}, {"trained_accuracy", score.accuracy}});
    return score.accuracy;
  });
  progress_.end();
  for (std::size_t index : result.order) {
    finalists_.push_back({chosen[index], result.accuracy[index], result.epochs[index]});
  }
}

void SearchRun::write_results(double seconds) {
  auto describe = [](const nas::Candidate& c) {
    return Json{{"architecture", Json::parse(c.architecture.to_json())},
                {"params", c.params},
                {"macs", c.macs},
                {"predicted_accuracy", c.predicted_accuracy},
                {"predicted_loss", c.predicted_loss}};
  };
  Json result;
  result["version"] = version;
  result["device"] = fmt::format("{} ({})", backend_.name(), backend_.description());
  result["dataset"] = {{"name", data_.name},
                       {"train", data_.train.count()},
                       {"validation", data_.validation.count()},
                       {"test", nullptr},  // a search does not read it
                       {"classes", task_.classes},
                       {"image", {task_.image_size, task_.image_size, task_.channels}}};
  result["seed"] = options_.seed;
  result["space"] = {{"name", space_.name}, {"size", space_.size()}};
  result["weights"] = options_.weights;
  result["hypernetwork"] = hyper_facts_;
  result["search"] = search_facts_;
  result["pareto"] = Json::array();
  for (const nas::Candidate& candidate : front_) result["pareto"].push_back(describe(candidate));
  result["finalists"] = Json::array();
  for (const Finalist& finalist : finalists_) {
    Json entry = describe(finalist.candidate);
    entry["trained_accuracy"] = finalist.trained_accuracy;
    entry["epochs"] = finalist.epochs;
    result["finalists"].push_back(entry);
  }
  result["rank_correlation"] = agreement_.to_json();
  result["arena"] = {{"bytes", arena_->size()}, {"peak_bytes", arena_->peak()}};
  result["seconds"] = seconds;
  io::write_atomically(directory_.result().string(), result.dump(2) + "\n");
  const nas::Architecture& best =
      finalists_.empty() ? front_.front().architecture : finalists_.front().candidate.architecture;
  io::write_atomically(directory_.best().string(), best.to_json() + "\n");
}

std::string SearchRun::summary() const {
  using Align = Table::Align;
  std::string text =
      fmt::format("\nPareto front of {} candidates ({:.0f} a minute)\n", state_.evaluated.size(),
                  search_facts_["candidates_per_minute"].get<double>());
  Table front({{"architecture", Align::left},
               {"params"},
               {"MACs"},
               {"predicted accuracy"},
               {"predicted loss"},
               {"score"}});
  const std::size_t shown = std::min<std::size_t>(front_.size(), most_shown);
  for (const nas::Candidate& c : std::span(front_).first(shown)) {
    front.row({c.architecture.id(), std::to_string(c.params), std::to_string(c.macs),
               fmt::format("{:.3f}", c.predicted_accuracy), fmt::format("{:.3f}", c.predicted_loss),
               fmt::format("{:.3f}", c.score)});
  }
  text += front.text();
  if (front_.size() > shown) {
    text += fmt::format("and {} smaller ones in result.json\n", front_.size() - shown);
  }
  if (!finalists_.empty()) {
    text += "\nFinalists, trained from scratch\n";
    Table table({{"architecture", Align::left},
                 {"params"},
                 {"MACs"},
                 {"predicted accuracy"},
                 {"trained accuracy"},
                 {"epochs"}});
    for (const Finalist& f : finalists_) {
      const nas::Candidate& c = f.candidate;
      table.row({c.architecture.id(), std::to_string(c.params), std::to_string(c.macs),
                 fmt::format("{:.3f}", c.predicted_accuracy), fmt::format("{:.3f}", f.trained_accuracy),
                 std::to_string(f.epochs)});
    }
    text += table.text();
  }
  if (agreement_.sample > 0) text += "\n" + agreement_.table();
  text += fmt::format("\nresult {}\nbest   {}\n", directory_.result().string(), directory_.best().string());
  return text;
}

}  // namespace adwp::apps
