// The operands of one operator, as its check() names them one by one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "framework/backend/specs.h"

namespace adwp {

// The type that is expected of a value between operators: f32, or bf16 where it lies so (Backend::storage).
inline DType value_type(const Tensor& value) {
  return value.defined() && value.dtype() == DType::bf16 ? DType::bf16 : DType::f32;
}
// Of y, which an operator makes of x, and of a gradient by y beside one by x: what x has; of x in f32,
// either.
inline DType value_type(const Tensor& x, const Tensor& y) {
  return value_type(x) == DType::bf16 ? DType::bf16 : value_type(y);
}

// Checks each operand where it is named, and gathers what Backend::compute needs to know of the call: where
// the result goes, how many bytes move, and whether there is anything to do.
class Operands {
 public:
  explicit Operands(const char* name) : name_(name) {}

  // What the operator reads: of exactly that shape, of that rank, or of any shape. Throws Error naming the
  // operator, the operand and both shapes.
  void input(const char* operand, const Tensor& tensor, const Shape& shape, DType dtype = DType::f32);
  void input(const char* operand, const Tensor& tensor, int rank, DType dtype = DType::f32);
  void input(const char* operand, const Tensor& tensor, DType dtype = DType::f32);

  // What it writes. The first output named is the main one: the arena of the workspace is its arena, and an
  // operator without elements to write there has nothing to do.
  void output(const char* operand, const Tensor& tensor, const Shape& shape, DType dtype = DType::f32);
  void output(const char* operand, const Tensor& tensor, DType dtype = DType::f32);
  // What it overwrites or adds to.
  void output(const char* operand, const Target& target, const Shape& shape, DType dtype = DType::f32);
  void output(const char* operand, const Target& target);

  // Says that the operator sums over the rows of (rows, channels), for which the device needs workspace.
  void reduces(std::int64_t rows, std::int64_t channels) { rows_ = rows, channels_ = channels; }
  // Says that the inputs have no elements: a sum of nothing. Targets that are overwritten become zero.
  void sum_of_nothing() { empty_ = true; }

  const char* name() const { return name_; }
  double bytes() const { return bytes_; }  // of every operand once
  Arena& arena() const { return main_->arena(); }
  bool has_reduction() const { return channels_ >= 0; }
  std::int64_t reduction_rows() const { return rows_; }
  std::int64_t reduction_channels() const { return channels_; }
  // Nothing to compute; zero_targets() is then all that is left.
  bool empty() const { return empty_ || main_->elements() == 0; }
  void zero_targets() const;

 private:
  static constexpr int most_targets = 4;

  void count(const Tensor& tensor) { bytes_ += tensor.bytes(); }
  void written(const Tensor& tensor);
  void written(const Target& target);

  const char* name_;
  const Tensor* main_ = nullptr;
  const Target* targets_[most_targets] = {};
  int target_count_ = 0;
  std::int64_t rows_ = 0, channels_ = -1;
  double bytes_ = 0;
  bool empty_ = false;
};

}  // namespace adwp
