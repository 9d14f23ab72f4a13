#include "framework/backend/operands.h"

#include "framework/core/error.h"

namespace adwp {

void Operands::input(const char* operand, const Tensor& tensor, const Shape& shape, DType dtype) {
  require(tensor.defined() && tensor.shape() == shape && tensor.dtype() == dtype, name_,
          "{} does not fit, got {}, expected {} {}", operand, tensor.text(), name_of(dtype), shape.text());
  count(tensor);
}

void Operands::input(const char* operand, const Tensor& tensor, int rank, DType dtype) {
  require(tensor.defined() && tensor.shape().rank() == rank && tensor.dtype() == dtype, name_,
          "{} does not fit, got {}, expected {} of rank {}", operand, tensor.text(), name_of(dtype), rank);
  count(tensor);
}

void Operands::input(const char* operand, const Tensor& tensor) {
  require(tensor.defined() && tensor.dtype() == DType::f32, name_, "{} does not fit, got {}, expected f32",
          operand, tensor.text());
  count(tensor);
}

void Operands::output(const char* operand, const Tensor& tensor, const Shape& shape, DType dtype) {
  input(operand, tensor, shape, dtype);
  written(tensor);
}

void Operands::output(const char* operand, const Tensor& tensor) {
  input(operand, tensor);
  written(tensor);
}

void Operands::output(const char* operand, const Target& target, const Shape& shape) {
  input(operand, target.tensor, shape);
  written(target);
}

void Operands::output(const char* operand, const Target& target) {
  input(operand, target.tensor);
  written(target);
}

void Operands::written(const Tensor& tensor) {
  if (main_ == nullptr) main_ = &tensor;
}

void Operands::written(const Target& target) {
  written(target.tensor);
  require(target_count_ < most_targets, name_, "more than {} targets", most_targets);
  targets_[target_count_++] = &target;
}

void Operands::zero_targets() const {
  for (int i = 0; i < target_count_; ++i) {
    if (!targets_[i]->adds()) targets_[i]->tensor.zero();
  }
}

}  // namespace adwp
