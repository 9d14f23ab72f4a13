#include "nas/training/network_trainer.h"

#include <algorithm>
#include <cmath>

#include "framework/backend/replay.h"
#include "framework/core/error.h"

namespace adwp::nas {
namespace {

constexpr double most_warmup = 0.05;  // of all steps

std::unique_ptr<optim::Optimizer> optimizer_of(Backend& backend, Arena& arena,
                                               const nn::ParameterStore& parameters,
                                               const NetworkTrainingOptions& options) {
  if (options.optimizer == OptimizerKind::adamw) {
    return std::make_unique<optim::AdamW>(
        backend, arena, parameters,
        optim::AdamW::Options{
            .beta2 = 0.999f, .weight_decay = options.weight_decay, .max_norm = options.clip});
  }
  return std::make_unique<optim::Sgd>(
      backend, arena, parameters,
      optim::Sgd::Options{
          .momentum = options.momentum, .weight_decay = options.weight_decay, .max_norm = options.clip});
}

}  // namespace

NetworkTrainer::NetworkTrainer(Backend& backend, Arena& arena, const NetworkPlan& plan,
                               const data::DeviceImages& images, const PixelNorm& norm,
                               const NetworkTrainingOptions& options)
    : backend_(backend),
      arena_(arena),
      plan_(plan),
      options_(options),
      norm_(norm),
      auxiliary_(options.auxiliary > 0 ? std::optional(auxiliary_head(plan_)) : std::nullopt),
      weights_(arena, plan_, options.seed, auxiliary_ ? &auxiliary_->layer : nullptr),
      statistics_(arena, plan_),
      drops_(backend, arena, plan_, options.batch, options.drop_path, options.dropout, options.seed),
      loader_(backend, arena, images, options.batch, norm, options.augmentation, options.seed,
              options.sampling),
      optimizer_(optimizer_of(backend, arena, weights_.parameters(), options)),
      log_(arena, kinds_of_losses()),
      one_(Tensor::from_host(arena, Shape{1}, std::span<const float>(std::vector<float>{1}))) {
  if (auxiliary_) {
    auxiliary_weight_ = Tensor::from_host(arena, Shape{1, 1, 1, 1},
                                          std::span<const float>(std::vector<float>{options.auxiliary}));
  }
  if (options.teacher) teacher_.emplace(arena, *options.teacher, plan_.task, norm);
  if (options.average > 0) {
    average_.emplace(optim::WeightAverage(backend, arena, weights_.parameters().values(), options.average),
                     optim::WeightAverage(backend, arena, statistics_.flat(), options.average));
  }
}

std::vector<std::pair<std::string, Tensor>> NetworkTrainer::further_tensors() {
  std::vector<std::pair<std::string, Tensor>> tensors{{"running_statistics", statistics_.flat()}};
  if (!average_) return tensors;
  tensors.emplace_back("average.running_statistics", average_->statistics.values());
  for (const auto& [name, part] : weights_.parts_of(average_->weights.values())) {
    tensors.emplace_back("average." + name, part);
  }
  return tensors;
}

void NetworkTrainer::update(float learning_rate) {
  optimizer_->step(learning_rate);
  if (!average_) return;
  average_->weights.update(optimizer_->steps());
  average_->statistics.update(optimizer_->steps());
}

void NetworkTrainer::compute_gradients(const Views& x, ClassTargets targets, const Tensor& loss) {
  const Arena::Frame frame(arena_);
  const Tensor batch(arena_, statistics_.flat().shape());
  compute_part(x, targets, drops_.masks(), loss, batch);
  statistics_.update(backend_, batch, options_.norm_momentum);
}

void NetworkTrainer::compute_part(const Views& x, ClassTargets targets, const Drops& drops,
                                  const Tensor& loss, const Tensor& statistics) {
  Tape tape(backend_, arena_, Tape::Recording::on);
  weights_.parameters().zero_gradients();
  std::vector<ops::BatchStatistics> batch_statistics = statistics_.views(statistics);
  const NetworkWeights weights = weights_.weights(tape, plan_);
  Wanted middle{.number = auxiliary_ ? auxiliary_->value : 0, .value = {}};
  const Variable logits =
      forward(tape, plan_, weights, x.pupil, {.collect = &batch_statistics}, drops, &middle);
  targets.smoothing = options_.label_smoothing;
  Variable aside;  // the loss by labels of the auxiliary head, weighted
  if (auxiliary_) {
    const Variable early = auxiliary_logits(tape, *auxiliary_, weights.auxiliary, middle.value);
    const Variable by_labels = ops::cross_entropy(tape, early, targets);
    loss.view(1, Shape{1}).copy_from(by_labels.value());
    aside = ops::channel_scale(tape, by_labels.reshaped(Shape{1, 1, 1, 1}),
                               Variable::constant(auxiliary_weight_));
  }
  if (teacher_) {
    Tape silent(backend_, arena_, Tape::Recording::off);
    targets.teacher = teacher_->logits(silent, x.teacher);
    targets.teaching = options_.teaching;
    targets.temperature = options_.temperature;
  }
  const Variable result = ops::cross_entropy(tape, logits, targets);
  loss.view(0, Shape{1}).copy_from(result.value());
  tape.backward(auxiliary_ ? ops::add(tape, result, aside.reshaped(Shape{1})) : result, one_);
}

Tensor NetworkTrainer::train_step(const Views& x, const ClassTargets& targets, float learning_rate) {
  const Tensor loss(arena_, Shape{kinds_of_losses()});
  {
    const Arena::Frame frame(arena_);
    drops_.draw(optimizer_->steps());
    compute_gradients(x, targets, loss);
  }
  update(learning_rate);
  return loss;
}

float NetworkTrainer::learning_rate(std::int64_t step) const {
  const std::vector<std::int64_t>& restarts = options_.restarts;
  const auto next = std::upper_bound(restarts.begin(), restarts.end(), step / steps_per_epoch());
  const std::int64_t begin = next == restarts.begin() ? 0 : *std::prev(next) * steps_per_epoch();
  const std::int64_t end = (next == restarts.end() ? options_.epochs : *next) * steps_per_epoch();
  // A training of one epoch has no time to warm up for half of it.
  const double longest = most_warmup * (end - begin);
  const std::int64_t warmup = std::min(options_.warmup_epochs * steps_per_epoch(), longest);
  return optim::cosine_schedule(options_.learning_rate, step - begin, warmup, end - begin, options_.cycles);
}

std::int64_t NetworkTrainer::image_size(std::int64_t epoch) const {
  for (const SizeStage& stage : options_.progressive) {
    if (epoch < std::llround(stage.until * options_.epochs)) return stage.size;
  }
  return plan_.task.image_size;
}

NetworkTrainer::Batch NetworkTrainer::reserve_batch(std::int64_t image_size) const {
  const Task& task = plan_.task;
  const std::int64_t count = options_.batch;
  const Shape images{count, task.image_size, task.image_size, task.channels}, rows{count};
  Batch batch{.x = Tensor(arena_, images), .y = Tensor(arena_, rows, DType::i32)};
  if (options_.trivial_augment) batch.changed = Tensor(arena_, images, DType::u8);
  if (options_.mixing.on()) {
    batch.mixed_x = Tensor(arena_, images);
    batch.others = Tensor(arena_, rows, DType::i32);
    batch.share = Tensor(arena_, rows);
  }
  if (image_size < task.image_size) {
    batch.small_x = Tensor(arena_, Shape{count, image_size, image_size, task.channels});
  }
  return batch;
}

void NetworkTrainer::load(std::int64_t batch, const Batch& to) {
  if (options_.trivial_augment) {
    loader_.load_changed(batch, to.changed, to.x, to.y);
  } else {
    loader_.load(batch, to.x, to.y);
  }
  if (options_.erasing > 0) loader_.erase(batch, options_.erasing, to.x);
  if (options_.mixing.on()) {
    loader_.mix(batch, options_.mixing, to.x, to.y, to.mixed_x, to.others, to.share);
  }
  if (to.small_x.defined()) backend_.compute(ShrinkImages{to.large_x(), to.small_x});
}

void NetworkTrainer::run_batches(std::int64_t epoch, std::int64_t first, const Done& done) {
  if (options_.micro_batches > 1) return run_micro_batches(epoch, first, done);
  loader_.begin_epoch(epoch);
  const Arena::Frame frame(arena_);
  const Batch images = reserve_batch(image_size(epoch));
  const Tensor loss(arena_, Shape{kinds_of_losses()});
  // The batch's number and the learning rate vary from step to step: what takes them is not recorded.
  Replay gradients(backend_, arena_, [&] { compute_gradients(images.images(), images.targets(), loss); });
  for (std::int64_t batch = first; batch < steps_per_epoch(); ++batch) {
    const std::int64_t step = epoch * steps_per_epoch() + batch;
    load(batch, images);
    drops_.draw(step);
    gradients.run();
    update(learning_rate(step));
    log_.add(loss, [this, step] {
      return fmt::format("step {} of training architecture {}", step, plan_.architecture.to_json());
    });
    done(batch + 1);
  }
}

Variable NetworkTrainer::infer(Tape& tape, const Tensor& images, Which which) {
  if (which == Which::averaged) {
    const std::vector<ops::BatchStatistics> given = statistics_.views(average_->statistics.values());
    return forward(tape, plan_, weights_.weights_in(average_->weights.values()), images, {.given = &given});
  }
  const NetworkWeights weights = weights_.weights(tape, plan_);
  return forward(tape, plan_, weights, images, {.given = &statistics_.layers()});
}

void NetworkTrainer::enqueue_evaluation(const data::DeviceImages& images, std::int64_t batch,
                                        const Tensor& score, Which which) {
  const Task& task = plan_.task;
  const Arena::Frame frame(arena_);
  data::Loader loader = data::Loader::sequential(backend_, arena_, images, batch, norm_);
  auto shape = [&](std::int64_t count) {
    return Shape{count, task.image_size, task.image_size, task.channels};
  };
  auto count_hits = [&](const Tensor& x, const Tensor& y) {
    Tape tape(backend_, arena_, Tape::Recording::off);
    backend_.compute(CountHits{infer(tape, x, which).value(), y, score});
  };
  const std::int64_t full = loader.batch_size(0);
  const Tensor x(arena_, shape(full));
  const Tensor y(arena_, Shape{full}, DType::i32);
  Replay full_batch(backend_, arena_, [&] { count_hits(x, y); });
  for (std::int64_t i = 0; i < loader.batches(); ++i) {
    const std::int64_t count = loader.batch_size(i);
    if (count == full) {
      loader.load(i, x, y);
      full_batch.run();
      continue;
    }
    const Arena::Frame step(arena_);
    const Tensor last = x.view(0, shape(count)), labels = y.view(0, Shape{count});
    loader.load(i, last, labels);
    count_hits(last, labels);
  }
}

Score NetworkTrainer::evaluate(const data::DeviceImages& images, std::int64_t batch, Which which) {
  require(which == Which::raw || average_, "evaluation", "no averaged weights are kept");
  require(images.count() > 0, "evaluation", "no images to evaluate on");
  const Arena::Frame frame(arena_);
  const Tensor score(arena_, Shape{2});
  score.zero();
  enqueue_evaluation(images, batch, score, which);
  const std::vector<float> sums = score.to_host<float>();
  const double n = images.count();
  if (!std::isfinite(sums[0])) {
    throw Diverged(fmt::format("the loss over {} images is {} after {} steps of training architecture {}",
                               images.count(), sums[0], optimizer_->steps(), plan_.architecture.to_json()));
  }
  return {sums[0] / n, sums[1] / n};
}

void NetworkTrainer::dry_run(Backend& backend, Arena& arena, const NetworkPlan& plan,
                             const data::DeviceImages& images, const PixelNorm& norm,
                             const NetworkTrainingOptions& options, std::int64_t evaluation_batch) {
  const Arena::Frame frame(arena);
  const Task& task = plan.task;
  NetworkTrainer trainer(backend, arena, plan, images, norm, options);
  // Smaller images need less of values, but may need more workspace.
  std::vector<std::int64_t> sizes{task.image_size};
  for (const SizeStage& stage : options.progressive) sizes.push_back(stage.size);
  for (const std::int64_t size : sizes) {
    const Arena::Frame step(arena);
    const Batch batch = trainer.reserve_batch(size);
    trainer.train_step(batch.images(), batch.targets(), 0);
  }
  // Whatever set will be evaluated, its batches are no larger than one of as many images.
  const auto some = data::DeviceImages::reserve(arena, std::max(images.count(), evaluation_batch),
                                                task.image_size, task.image_size, task.channels);
  trainer.enqueue_evaluation(some, evaluation_batch, Tensor(arena, Shape{2}), trainer.best());
}

}  // namespace adwp::nas
