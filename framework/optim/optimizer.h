// Optimizers on a flat parameter store: one pass over one buffer a step.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/nn/parameter_store.h"

namespace adwp::optim {

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // One update from the gradients in the store, which are left as they are. Gradients whose
  // Euclidean norm over all parameters exceeds `max_norm` are scaled down to it (0: never).
  void step(float learning_rate);
  std::int64_t steps() const { return steps_; }

  // What a checkpoint must hold besides the parameters.
  virtual std::vector<std::pair<std::string, Tensor>> state() const = 0;
  void set_steps(std::int64_t steps) { steps_ = steps; }

 protected:
  Optimizer(Backend& backend, Arena& arena, const nn::ParameterStore& store, float max_norm);
  Tensor zeros_like_values(Arena& arena) const;

  Backend& backend_;
  const nn::ParameterStore& store_;
  float max_norm_;
  Tensor norm2_;  // (1): squared norm of the gradients

 private:
  virtual void update(float learning_rate) = 0;
  std::int64_t steps_ = 0;
};

// SGD with Nesterov momentum (Sutskever et al., 2013) and decoupled weight decay, which does not pass
// through the momentum and skips norms and biases. With momentum 0.9 a decoupled decay of 5e-3 shrinks
// weights as fast as the usual coupled 5e-4.
class Sgd : public Optimizer {
 public:
  struct Options {
    float momentum = 0.9f;
    bool nesterov = true;
    float weight_decay = 5e-3f;
    float max_norm = 0;
  };
  Sgd(Backend& backend, Arena& arena, const nn::ParameterStore& store, const Options& options);
  std::vector<std::pair<std::string, Tensor>> state() const override;

 private:
  void update(float learning_rate) override;
  Options options_;
  Tensor velocity_;
};

// AdamW (Loshchilov & Hutter, 2019).
class AdamW : public Optimizer {
 public:
  struct Options {
    float beta1 = 0.9f;
    float beta2 = 0.99f;
    float epsilon = 1e-8f;
    float weight_decay = 1e-4f;
    float max_norm = 0;
    // Elements whose gradient is exactly 0 keep their value and their moments. For parameters of which a step
    // uses a few: without it an element that one step used goes on moving in that direction for ten more.
    bool lazy = false;
  };
  AdamW(Backend& backend, Arena& arena, const nn::ParameterStore& store, const Options& options);
  std::vector<std::pair<std::string, Tensor>> state() const override;

 private:
  void update(float learning_rate) override;
  Options options_;
  Tensor first_, second_;
};

// Linear warm-up to `peak` over the first `warmup` steps, then half a cosine down to 0 at `total`; with more
// than one cycle (Loshchilov & Hutter, 2017) as many of them, each as long. step counts from 0.
float cosine_schedule(float peak, std::int64_t step, std::int64_t warmup, std::int64_t total,
                      std::int64_t cycles = 1);

}  // namespace adwp::optim
