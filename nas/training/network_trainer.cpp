#include "nas/training/network_trainer.h"

#include <algorithm>
#include <cmath>

#include "framework/backend/replay.h"
#include "framework/core/error.h"

namespace adwp::nas {
namespace {

constexpr double most_warmup = 0.05;  // of all steps

}  // namespace

NetworkTrainer::NetworkTrainer(Backend& backend, Arena& arena, const NetworkPlan& plan,
                               const data::DeviceImages& images, const PixelNorm& norm,
                               const NetworkTrainingOptions& options)
    : backend_(backend),
      arena_(arena),
      plan_(plan),
      options_(options),
      norm_(norm),
      weights_(arena, plan_, options.seed),
      statistics_(arena, plan_),
      loader_(backend, arena, images, options.batch, norm, options.augmentation, options.seed,
              options.sampling),
      optimizer_(
          backend, arena, weights_.parameters(),
          {.momentum = options.momentum, .weight_decay = options.weight_decay, .max_norm = options.clip}),
      log_(arena),
      one_(Tensor::from_host(arena, Shape{1}, std::span<const float>(std::vector<float>{1}))) {}

void NetworkTrainer::compute_gradients(const Tensor& x, const Tensor& y, const Tensor& loss) {
  const Arena::Frame frame(arena_);
  const Tensor batch(arena_, statistics_.flat().shape());
  compute_part(x, y, loss, batch);
  statistics_.update(backend_, batch, options_.norm_momentum);
}

void NetworkTrainer::compute_part(const Tensor& x, const Tensor& y, const Tensor& loss,
                                  const Tensor& statistics) {
  Tape tape(backend_, arena_, Tape::Recording::on);
  weights_.parameters().zero_gradients();
  std::vector<ops::BatchStatistics> batch_statistics = statistics_.views(statistics);
  const NetworkWeights weights = weights_.weights(tape, plan_);
  const Variable logits = forward(tape, plan_, weights, x, {.collect = &batch_statistics});
  const Variable result = ops::cross_entropy(tape, logits, y, options_.label_smoothing);
  loss.copy_from(result.value());
  tape.backward(result, one_);
}

Tensor NetworkTrainer::train_step(const Tensor& x, const Tensor& y, float learning_rate) {
  const Tensor loss(arena_, Shape{1});
  {
    const Arena::Frame frame(arena_);
    compute_gradients(x, y, loss);
  }
  optimizer_.step(learning_rate);
  return loss;
}

float NetworkTrainer::learning_rate(std::int64_t step) const {
  const std::int64_t total = options_.epochs * steps_per_epoch();
  const double longest =
      most_warmup * total;  // a training of one epoch has no time to warm up for half of it
  const std::int64_t warmup = std::min(options_.warmup_epochs * steps_per_epoch(), longest);
  return optim::cosine_schedule(options_.learning_rate, step, warmup, total);
}

void NetworkTrainer::run_batches(std::int64_t epoch, std::int64_t first, const Done& done) {
  if (options_.micro_batches > 1) return run_micro_batches(epoch, first, done);
  const Task& task = plan_.task;
  loader_.begin_epoch(epoch);
  const Arena::Frame frame(arena_);
  const Tensor x(arena_, Shape{options_.batch, task.image_size, task.image_size, task.channels});
  const Tensor y(arena_, Shape{options_.batch}, DType::i32);
  const Tensor loss(arena_, Shape{1});
  // The batch's number and the learning rate vary from step to step: what takes them is not recorded.
  Replay gradients(backend_, arena_, [&] { compute_gradients(x, y, loss); });
  for (std::int64_t batch = first; batch < steps_per_epoch(); ++batch) {
    const std::int64_t step = epoch * steps_per_epoch() + batch;
    loader_.load(batch, x, y);
    gradients.run();
    optimizer_.step(learning_rate(step));
    log_.add(loss, [this, step] {
      return fmt::format("step {} of training architecture {}", step, plan_.architecture.to_json());
    });
    done(batch + 1);
  }
}

Variable NetworkTrainer::infer(Tape& tape, const Tensor& images) {
  const NetworkWeights weights = weights_.weights(tape, plan_);
  return forward(tape, plan_, weights, images, {.given = &statistics_.layers()});
}

void NetworkTrainer::enqueue_evaluation(const data::DeviceImages& images, std::int64_t batch,
                                        const Tensor& score) {
  const Task& task = plan_.task;
  const Arena::Frame frame(arena_);
  data::Loader loader = data::Loader::sequential(backend_, arena_, images, batch, norm_);
  auto shape = [&](std::int64_t count) {
    return Shape{count, task.image_size, task.image_size, task.channels};
  };
  auto count_hits = [&](const Tensor& x, const Tensor& y) {
    Tape tape(backend_, arena_, Tape::Recording::off);
    backend_.compute(CountHits{infer(tape, x).value(), y, score});
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

Score NetworkTrainer::evaluate(const data::DeviceImages& images, std::int64_t batch) {
  require(images.count() > 0, "evaluation", "no images to evaluate on");
  const Arena::Frame frame(arena_);
  const Tensor score(arena_, Shape{2});
  score.zero();
  enqueue_evaluation(images, batch, score);
  const std::vector<float> sums = score.to_host<float>();
  const double n = images.count();
  if (!std::isfinite(sums[0])) {
    throw Diverged(fmt::format("the loss over {} images is {} after {} steps of training architecture {}",
                               images.count(), sums[0], optimizer_.steps(), plan_.architecture.to_json()));
  }
  return {sums[0] / n, sums[1] / n};
}

void NetworkTrainer::dry_run(Backend& backend, Arena& arena, const NetworkPlan& plan,
                             const data::DeviceImages& images, const PixelNorm& norm,
                             const NetworkTrainingOptions& options, std::int64_t evaluation_batch) {
  const Arena::Frame frame(arena);
  const Task& task = plan.task;
  NetworkTrainer trainer(backend, arena, plan, images, norm, options);
  auto images_of = [&](std::int64_t count) {
    return Tensor(arena, Shape{count, task.image_size, task.image_size, task.channels});
  };
  {
    const Arena::Frame step(arena);
    trainer.train_step(images_of(options.batch), Tensor(arena, Shape{options.batch}, DType::i32), 0);
  }
  // Whatever set will be evaluated, its batches are no larger than one of as many images.
  const auto some = data::DeviceImages::reserve(arena, std::max(images.count(), evaluation_batch),
                                                task.image_size, task.image_size, task.channels);
  trainer.enqueue_evaluation(some, evaluation_batch, Tensor(arena, Shape{2}));
}

}  // namespace adwp::nas
