#include "framework/optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace adwp::optim {

Optimizer::Optimizer(Backend& backend, Arena& arena, const nn::ParameterStore& store, float max_norm)
    : backend_(backend), store_(store), max_norm_(max_norm), norm2_(arena, Shape{1}) {
  norm2_.zero();
}

Tensor Optimizer::zeros_like_values(Arena& arena) const {
  Tensor tensor(arena, store_.values().shape());
  tensor.zero();
  return tensor;
}

void Optimizer::step(float learning_rate) {
  ++steps_;
  if (max_norm_ > 0) backend_.compute(SumOfSquares{store_.gradients(), norm2_});
  update(learning_rate);
}

Sgd::Sgd(Backend& backend, Arena& arena, const nn::ParameterStore& store, const Options& options)
    : Optimizer(backend, arena, store, options.max_norm),
      options_(options),
      velocity_(zeros_like_values(arena)) {}

void Sgd::update(float learning_rate) {
  const SgdRule rule{.learning_rate = learning_rate,
                     .momentum = options_.momentum,
                     .nesterov = options_.nesterov,
                     .weight_decay = options_.weight_decay,
                     .decayed = store_.decayed(),
                     .max_norm = max_norm_};
  backend_.compute(SgdStep{rule, store_.gradients(), norm2_, velocity_, store_.values()});
}

std::vector<std::pair<std::string, Tensor>> Sgd::state() const { return {{"velocity", velocity_}}; }

AdamW::AdamW(Backend& backend, Arena& arena, const nn::ParameterStore& store, const Options& options)
    : Optimizer(backend, arena, store, options.max_norm),
      options_(options),
      first_(zeros_like_values(arena)),
      second_(zeros_like_values(arena)) {}

void AdamW::update(float learning_rate) {
  const AdamWRule rule{.learning_rate = learning_rate,
                       .beta1 = options_.beta1,
                       .beta2 = options_.beta2,
                       .epsilon = options_.epsilon,
                       .weight_decay = options_.weight_decay,
                       .decayed = store_.decayed(),
                       .max_norm = max_norm_,
                       .step = steps(),
                       .lazy = options_.lazy};
  backend_.compute(AdamWStep{rule, store_.gradients(), norm2_, first_, second_, store_.values()});
}

std::vector<std::pair<std::string, Tensor>> AdamW::state() const {
  return {{"first_moment", first_}, {"second_moment", second_}};
}

float cosine_schedule(float peak, std::int64_t step, std::int64_t warmup, std::int64_t total,
                      std::int64_t cycles) {
  if (step < warmup) return peak * (step + 1) / warmup;
  const double all = std::max<std::int64_t>(total - warmup, 1);
  const double length = all / cycles;
  const double done = cycles > 1 && step < total ? std::fmod(step - warmup, length) : step - warmup;
  return peak * static_cast<float>(0.5 * (1.0 + std::cos(std::numbers::pi * std::min(done / length, 1.0))));
}

}  // namespace adwp::optim
