// Trains a network with one hidden layer and softplus between its layers to tell in which ring around the
// origin a point lies. Exits with 0 when it has learnt it.
#include "softplus.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/cpu_backend.h"
#include "framework/core/random.h"
#include "framework/nn/parameter_store.h"
#include "framework/ops/ops.h"
#include "framework/optim/optimizer.h"

namespace {

constexpr std::int64_t points = 512, hidden = 32, rings = 3, steps = 300;

struct Parameters {
  adwp::nn::ParameterStore store;
  int w1, b1, w2, b2;

  explicit Parameters(adwp::Arena& arena) {
    using adwp::nn::Decay, adwp::nn::Initial;
    w1 = store.add("w1", {hidden, 2}, Decay::yes, Initial::he(2));
    b1 = store.add("b1", {hidden}, Decay::no, Initial::constant(0));
    w2 = store.add("w2", {rings, hidden}, Decay::yes, Initial::he(hidden));
    b2 = store.add("b2", {rings}, Decay::no, Initial::constant(0));
    store.build(arena, 1);
  }
};

adwp::Variable logits(adwp::Tape& tape, const Parameters& p, const adwp::Tensor& x) {
  const adwp::Variable input = adwp::Variable::constant(x);
  const adwp::Variable h = softplus(tape, adwp::ops::linear(tape, input, p.store[p.w1], p.store[p.b1]));
  return adwp::ops::linear(tape, h, p.store[p.w2], p.store[p.b2]);
}

}  // namespace

int main() {
  const std::unique_ptr<adwp::Backend> device = adwp::cpu::open_cpu(1);
  adwp::Arena arena(*device, std::size_t{16} << 20);
  Parameters parameters(arena);
  adwp::optim::AdamW optimizer(*device, arena, parameters.store, {});

  adwp::Random random(1, adwp::Purpose::test);
  std::vector<float> positions(2 * points);
  std::vector<std::int32_t> labels(points);
  for (std::int64_t i = 0; i < points; ++i) {
    float* at = &positions[2 * i];
    at[0] = 3 * random.uniform() - 1.5f;
    at[1] = 3 * random.uniform() - 1.5f;
    labels[i] = std::min(2, static_cast<int>(std::hypot(at[0], at[1]) / 0.6f));
  }
  const adwp::Tensor x = adwp::Tensor::from_host(arena, {points, 2}, std::span<const float>(positions));
  const adwp::Tensor y = adwp::Tensor::from_host(arena, {points}, std::span<const std::int32_t>(labels));

  float first = 0, last = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    const adwp::Arena::Frame frame(arena);  // takes back what the step allocates
    adwp::Tape tape(*device, arena, adwp::Tape::Recording::on);
    parameters.store.zero_gradients();
    const adwp::Variable loss = adwp::ops::cross_entropy(tape, logits(tape, parameters, x), y, 0);
    last = loss.value().to_host<float>()[0];
    if (step == 0) first = last;
    tape.backward(loss);
    optimizer.step(0.02f);
  }
  fmt::print("loss {:.3f} at the start, {:.3f} after {} steps\n", first, last, steps);
  return last < 0.2f * first ? 0 : 1;
}
