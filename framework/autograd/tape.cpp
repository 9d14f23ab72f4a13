#include "framework/autograd/tape.h"

#include <algorithm>
#include <utility>

#include "framework/core/error.h"

namespace adwp {

const Tensor& Gradient::tensor() const {
  static const Tensor none;
  return slot_ ? slot_->gradient : none;
}

// A base's gradient is filled piece by piece, in any order and perhaps not everywhere: so it starts
// at zero and every piece is summed in.
const Tensor& Gradient::Slot::as_base() {
  if (base) {
    gradient = base->as_base().view(base_offset, shape);
  } else if (!gradient.defined()) {
    gradient = Tensor(*arena, shape, dtype);
    gradient.zero();
  }
  stop_borrowing();
  written = true;
  return gradient;
}

void Gradient::Slot::stop_borrowing() {
  if (!std::exchange(borrowed, false) || !gradient.shared()) return;
  const Tensor own(*arena, shape, dtype);
  own.copy_from(gradient);
  gradient = own;
}

Target Gradient::target() const {
  require(required(), "autograd", "the gradient of a value that requires none");
  if (slot_->base) slot_->as_base();
  if (!slot_->gradient.defined()) slot_->gradient = Tensor(*slot_->arena, slot_->shape, slot_->dtype);
  slot_->stop_borrowing();
  const bool written = std::exchange(slot_->written, true);
  return {slot_->gradient, written ? GradMode::accumulate : GradMode::overwrite};
}

void Gradient::add(Backend& backend, const Tensor& gradient) const {
  const bool first = !slot_->written && !slot_->base && !slot_->gradient.defined();
  if (!first) return backend.compute(CopyGradient{gradient, target()});
  require(gradient.shape() == slot_->shape && gradient.dtype() == slot_->dtype, "autograd",
          "a gradient unlike its value, got {}, expected {} {}", gradient.text(), name_of(slot_->dtype),
          slot_->shape.text());
  slot_->gradient = gradient;
  slot_->written = slot_->borrowed = true;
}

bool Gradient::sole() const { return required() && slot_->readers == 1 && !slot_->base; }

const Tensor& Gradient::sums() const {
  static const Tensor none;
  return slot_ ? slot_->sums : none;
}

void Gradient::leave_sums(const Tensor& sums) const { slot_->sums = sums; }

Variable Variable::constant(Tensor value) {
  Variable variable;
  variable.value_ = std::move(value);
  return variable;
}

const Tensor& Variable::value() const {
  if (pending_ == nullptr) return value_;
  if (pending_->norm.defined()) {
    const Tensor y(pending_->value.arena(), pending_->value.shape(), pending_->value.dtype());
    pending_->backend->compute(pending_->norm.applied(pending_->value, y));
    pending_->value = y;
    pending_->norm = {};
  }
  return pending_->value;
}

const PendingNorm& Variable::norm() const {
  static const PendingNorm none;
  return pending_ != nullptr ? pending_->norm : none;
}

Variable Variable::with_norm(Backend& backend, const PendingNorm& norm) const {
  Variable variable = *this;
  variable.pending_ = std::make_shared<Pending>(Pending{&backend, value(), norm});
  variable.value_ = {};
  return variable;
}

Variable Variable::leaf(Tensor value, Tensor gradient) {
  require(value.dtype() == DType::f32 && gradient.dtype() == DType::f32 && gradient.shape() == value.shape(),
          "autograd", "gradient unlike its value, got {}, expected {}", gradient.text(), value.text());
  Variable variable = constant(std::move(value));
  auto slot = std::make_shared<Gradient::Slot>();
  slot->arena = &gradient.arena();
  slot->shape = gradient.shape();
  slot->gradient = std::move(gradient);
  slot->written = true;
  variable.gradient_ = Gradient(std::move(slot));
  return variable;
}

Variable Variable::view(std::int64_t offset, Shape shape) const {
  Variable result = constant(value().view(offset, shape));
  if (requires_grad()) {
    auto slot = std::make_shared<Gradient::Slot>();
    slot->arena = gradient_.slot_->arena;
    slot->shape = shape;
    slot->dtype = gradient_.slot_->dtype;
    slot->base = gradient_.slot_;
    ++slot->base->readers;
    slot->base_offset = offset;
    result.gradient_ = Gradient(std::move(slot));
  }
  return result;
}

Variable Variable::reshaped(Shape shape) const {
  require(shape.elements() == value().elements(), "reshape", "another number of elements, got {}, from {}",
          shape.text(), value().text());
  return view(0, shape);
}

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
    slot->dtype = output.value().dtype();
    output.gradient_ = Gradient(std::move(slot));
    for (const Variable* input : inputs) {
      if (input->requires_grad()) ++input->gradient_.slot_->readers;
    }
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
