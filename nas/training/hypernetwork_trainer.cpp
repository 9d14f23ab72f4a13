#include "nas/training/hypernetwork_trainer.h"

#include "framework/core/error.h"
#include "nas/network/macro_network.h"

namespace adwp::nas {

HyperTrainer::HyperTrainer(Backend& backend, Arena& arena, WeightSource& source, const SearchSpace& space,
                           const Task& task, const data::DeviceImages& images, const PixelNorm& norm,
                           const HyperTrainingOptions& options)
    : backend_(backend),
      arena_(arena),
      source_(source),
      space_(space),
      task_(task),
      options_(options),
      loader_(backend, arena, images, options.batch, norm, options.augmentation, options.seed,
              options.sampling),
      optimizer_(backend, arena, source.parameters(),
                 {.weight_decay = options.weight_decay, .max_norm = options.clip, .lazy = options.lazy}),
      log_(arena) {}

std::int64_t HyperTrainer::images_per_epoch() const {
  return loader_.batches() * options_.batch * options_.architectures_per_step;
}

Architecture HyperTrainer::sample(std::int64_t step, int index) const {
  const std::uint64_t number = step * options_.architectures_per_step + index;
  Random random(options_.seed, Purpose::architecture, number);
  const double growing = options_.growth * options_.epochs * steps_per_epoch();  // steps
  if (step < growing) return space_.shallow(step / growing).sample(random, options_.limits, task_);
  return space_.sample(random, options_.limits, task_);
}

Variable HyperTrainer::loss_of(Tape& tape, WeightSource& source, const NetworkPlan& plan, const Tensor& x,
                               const Tensor& y) const {
  const NetworkWeights weights = source.weights(tape, plan);
  const Variable logits = forward(tape, plan, weights, x);
  return ops::cross_entropy(tape, logits, y, options_.label_smoothing);
}

Tensor HyperTrainer::add_gradient(const NetworkPlan& plan, const Tensor& x, const Tensor& y, float weight) {
  Tape tape(backend_, arena_, Tape::Recording::on);
  const Variable loss = loss_of(tape, source_, plan, x, y);
  tape.backward(loss, weight);
  return loss.value();
}

Tensor HyperTrainer::train_step(const NetworkPlan& plan, const Tensor& x, const Tensor& y,
                                float learning_rate) {
  source_.parameters().zero_gradients();
  const Tensor loss = add_gradient(plan, x, y, 1);
  optimizer_.step(learning_rate);
  return loss;
}

void HyperTrainer::step(std::int64_t epoch, std::int64_t batch) {
  const std::int64_t step = epoch * steps_per_epoch() + batch;
  const std::int64_t total = options_.epochs * steps_per_epoch();
  const auto warmup = static_cast<std::int64_t>(options_.warmup * total);

  const Arena::Frame frame(arena_);
  const Tensor x(arena_, Shape{options_.batch, task_.image_size, task_.image_size, task_.channels});
  const Tensor y(arena_, Shape{options_.batch}, DType::i32);
  loader_.load(batch, x, y);
  source_.parameters().zero_gradients();
  for (int index = 0; index < options_.architectures_per_step; ++index) {
    const float share = 1.0f / options_.architectures_per_step;
    const Tensor loss = add_gradient(plan_network(sample(step, index), task_), x, y, share);
    log_.add(loss, [this, step, index] {
      return fmt::format("step {} with architecture {}", step, sample(step, index).to_json());
    });
  }
  optimizer_.step(optim::cosine_schedule(options_.learning_rate, step, warmup, total));
}

void HyperTrainer::dry_step(Arena& arena, WeightSource& source, const NetworkPlan& plan) {
  const Arena::Frame frame(arena);
  const Tensor x(arena, Shape{options_.batch, task_.image_size, task_.image_size, task_.channels});
  const Tensor y(arena, Shape{options_.batch}, DType::i32);
  Tape tape(backend_, arena, Tape::Recording::on);
  tape.backward(loss_of(tape, source, plan, x, y));
}

void HyperTrainer::run_batches(std::int64_t epoch, std::int64_t first, const Done& done) {
  loader_.begin_epoch(epoch);
  for (std::int64_t batch = first; batch < steps_per_epoch(); ++batch) {
    step(epoch, batch);
    done(batch + 1);
  }
}

}  // namespace adwp::nas
