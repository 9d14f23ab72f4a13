// Reverse-mode differentiation: values with gradients, and the tape that computes them.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "framework/backend/backend.h"
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

  // Where an operator's backward writes: the gradient tensor, made on first use with the value's shape and
  // type, and whether to overwrite it or to add to what has arrived: of bf16 each sum is rounded. Whoever
  // asks must write. Only when required().
  Target target() const;
  // Adds a gradient that arrives as it is, as an operator's that only adds or copies. Where it is the first,
  // its memory is shared until more is to be summed onto it.
  void add(Backend& backend, const Tensor& gradient) const;

  // Has one operator alone read the value? What that one writes is the whole gradient.
  bool sole() const;
  // Sums over the gradient that its writer has left beside it (NormSums), or an empty tensor.
  const Tensor& sums() const;
  void leave_sums(const Tensor& sums) const;

 private:
  friend class Tape;
  friend class Variable;
  struct Slot {
    Arena* arena = nullptr;
    Shape shape;
    DType dtype = DType::f32;
    Tensor gradient;
    bool written = false;   // gradient holds something to be summed onto
    bool borrowed = false;  // others may hold its memory and read what stands there
    int readers = 0;        // operators and views that were given the value
    Tensor sums;
    std::shared_ptr<Slot> base;  // of a view
    std::int64_t base_offset = 0;

    const Tensor& as_base();
    void stop_borrowing();  // before more is summed into the memory
  };
  explicit Gradient(std::shared_ptr<Slot> slot) : slot_(std::move(slot)) {}

  std::shared_ptr<Slot> slot_;
};

// A handle: copies share value and gradient. A value may have a norm to go through yet, which is applied when
// the value is first asked for. A convolution that applies it by itself asks for the parts instead.
class Variable {
 public:
  Variable() = default;  // empty

  // A value without gradient: data, labels, evaluation.
  static Variable constant(Tensor value);
  // A trained value (f32); its gradient is summed into `gradient`, which somebody else zeroes.
  static Variable leaf(Tensor value, Tensor gradient);

  bool defined() const { return unnormed().defined(); }
  const Tensor& value() const;
  const Shape& shape() const { return unnormed().shape(); }
  const Tensor& unnormed() const { return pending_ != nullptr ? pending_->value : value_; }
  const PendingNorm& norm() const;  // that the above has yet to go through
  const Gradient& gradient() const { return gradient_; }
  bool requires_grad() const { return gradient_.required(); }

  // The same memory from element `offset` on under another shape. Gradients of a view go straight
  // into its base's gradient.
  Variable view(std::int64_t offset, Shape shape) const;
  Variable reshaped(Shape shape) const;
  // The same with a norm to go through; the gradient is that by its result.
  Variable with_norm(Backend& backend, const PendingNorm& norm) const;

 private:
  friend class Tape;
  struct Pending {
    Backend* backend;
    Tensor value;
    PendingNorm norm;  // none: it is done
  };

  Tensor value_;
  std::shared_ptr<Pending> pending_;
  Gradient gradient_;
};

// The tape: reverse-mode differentiation, define-by-run.
//
// An operator computes through the backend and, when an input needs a gradient, records a closure
// that turns the gradient of its output into those of its inputs. backward() walks the closures
// once, from last to first, and drops each with what it holds as soon as it has run, so that memory
// returns to the arena on the way.

class Tape {
 public:
  enum class Recording { off, on };

  Tape(Backend& backend, Arena& arena, Recording recording)
      : backend_(backend), arena_(arena), recording_(recording) {}

  Backend& backend() const { return backend_; }
  Arena& arena() const { return arena_; }
  bool recording() const { return recording_ == Recording::on; }

  // An uninitialised tensor of this step.
  Tensor tensor(Shape shape, DType dtype = DType::f32) const { return Tensor(arena_, shape, dtype); }

  // One for a value that a convolution makes of images or of other values, stored as the device has it;
  // operators behind it keep its type, and so do gradients.
  Tensor value(Shape shape) const { return tensor(shape, backend_.storage()); }

  // Where a backward that writes several gradients in one pass writes this one: one that nobody asked for
  // goes into a tensor of this step.
  Target target(const Gradient& gradient, const Shape& shape, DType dtype = DType::f32) const {
    return gradient.required() ? gradient.target() : Target{tensor(shape, dtype)};
  }

  // Does an operator on these inputs have to record?
  bool needs_grad(std::initializer_list<const Variable*> inputs) const;

  // The result of an operator. `backward` is kept when an input needs a gradient; it captures the
  // Gradients that it writes and only those values that it needs. It is given the gradient by the
  // result.
  using Backward = std::function<void(const Tensor& gradient)>;
  Variable record(Tensor value, std::initializer_list<const Variable*> inputs, Backward backward);

  // Gradients of `weight * loss` (one element) by every variable that requires one. What had been
  // recorded is used up; the tape may then record another computation.
  void backward(const Variable& loss, float weight = 1.0f);
  // The same with a weight (1) that stands on the device, for work that is recorded (Replay).
  void backward(const Variable& loss, const Tensor& weight);

  std::size_t recorded() const { return entries_.size(); }

 private:
  struct Entry {
    Gradient output;
    Backward backward;
  };

  // From the loss, whose gradient `seed` writes, to the first entry.
  void walk(const Variable& loss, const std::function<void(const Tensor& gradient)>& seed);

  Backend& backend_;
  Arena& arena_;
  Recording recording_;
  std::vector<Entry> entries_;
};

}  // namespace adwp
