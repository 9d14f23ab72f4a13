// A value in a computation, and the gradient of the loss by it.
#pragma once

#include <memory>

#include "framework/backend/specs.h"
#include "framework/core/tensor.h"

namespace adwp {

// Where the gradient by one value is collected: a handle, apart from the value, so that a recorded
// closure can hold on to the gradients it writes without keeping values it does not need.
class Gradient {
 public:
  Gradient() = default;  // of a value that requires none

  bool required() const { return slot_ != nullptr; }
  // What has arrived so far, or an empty tensor when nothing has.
  const Tensor& tensor() const;

  // Where an operator's backward writes: the gradient tensor, made on first use with the value's shape, and
  // whether to overwrite it or to add to what has arrived. Whoever asks must write. Only when required().
  Target target() const;

 private:
  friend class Tape;
  friend class Variable;
  struct Slot {
    Arena* arena = nullptr;
    Shape shape;
    Tensor gradient;
    bool written = false;        // gradient holds something to be summed onto
    std::shared_ptr<Slot> base;  // of a view
    std::int64_t base_offset = 0;

    const Tensor& as_base();
  };
  explicit Gradient(std::shared_ptr<Slot> slot) : slot_(std::move(slot)) {}

  std::shared_ptr<Slot> slot_;
};

// A handle: copies share value and gradient.
class Variable {
 public:
  Variable() = default;  // empty

  // A value without gradient: data, labels, evaluation.
  static Variable constant(Tensor value);
  // A trained value (f32); its gradient is summed into `gradient`, which somebody else zeroes.
  static Variable leaf(Tensor value, Tensor gradient);

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  const Gradient& gradient() const { return gradient_; }
  bool requires_grad() const { return gradient_.required(); }

  // The same memory from element `offset` on under another shape. Gradients of a view go straight
  // into its base's gradient.
  Variable view(std::int64_t offset, Shape shape) const;
  Variable reshaped(Shape shape) const;

 private:
  friend class Tape;

  Tensor value_;
  Gradient gradient_;
};

}  // namespace adwp
