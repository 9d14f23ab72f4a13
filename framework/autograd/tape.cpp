#include "framework/autograd/tape.h"

#include <algorithm>

#include "framework/core/error.h"

namespace adwp {

bool Tape::needs_grad(std::initializer_list<const Variable*> inputs) const {
  return recording() && std::any_of(inputs.begin(), inputs.end(),
                                    [](const Variable* input) { return input->requires_grad(); });
}

Variable Tape::record(Tensor value, std::initializer_list<const Variable*> inputs, Backward backward) {
  Variable output = Variable::constant(std::move(value));
  if (needs_grad(inputs)) {
    auto slot = std::make_shared<Gradient::Slot>();
    slot->arena = &output.value().arena();
    slot->shape = output.shape();
    output.gradient_ = Gradient(std::move(slot));
    entries_.push_back({output.gradient(), std::move(backward)});
  }
  return output;
}

void Tape::backward(const Variable& loss, float weight) {
  walk(loss, [&](const Tensor& gradient) { gradient.copy_from_host(std::span<const float>(&weight, 1)); });
}

void Tape::backward(const Variable& loss, const Tensor& weight) {
  walk(loss, [&](const Tensor& gradient) { gradient.copy_from(weight); });
}

void Tape::walk(const Variable& loss, const std::function<void(const Tensor& gradient)>& seed) {
  require(recording(), "backward", "this tape records no gradients");
  require(loss.value().elements() == 1, "backward", "the loss must be one number, got {}",
          loss.value().text());
  seed(loss.gradient().target().tensor);
  while (!entries_.empty()) {
    Entry entry = std::move(entries_.back());
    entries_.pop_back();
    // An output that nothing used has no gradient, and passes none on.
    if (entry.output.tensor().defined()) entry.backward(entry.output.tensor());
  }
}

}  // namespace adwp
