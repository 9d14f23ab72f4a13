// Shape and dtype checks shared by the public methods of Backend.
#pragma once

#include <string_view>

#include "framework/core/error.h"
#include "framework/core/tensor.h"

namespace adwp::checks {

inline void expect(std::string_view where, std::string_view operand, const Tensor& tensor, const Shape& shape,
                   DType dtype = DType::f32) {
  require(tensor.defined() && tensor.shape() == shape && tensor.dtype() == dtype, where,
          "{} does not fit, got {}, expected {} {}", operand, tensor.text(), name_of(dtype), shape.text());
}

inline void expect_rank(std::string_view where, std::string_view operand, const Tensor& tensor, int rank,
                        DType dtype = DType::f32) {
  require(tensor.defined() && tensor.shape().rank() == rank && tensor.dtype() == dtype, where,
          "{} does not fit, got {}, expected {} of rank {}", operand, tensor.text(), name_of(dtype), rank);
}

inline void expect_f32(std::string_view where, std::string_view operand, const Tensor& tensor) {
  require(tensor.defined() && tensor.dtype() == DType::f32, where, "{} does not fit, got {}, expected f32",
          operand, tensor.text());
}

// Nothing to compute: no elements, or an arena that only counts.
inline bool skip(const Tensor& output) { return output.arena().counting() || output.elements() == 0; }

// Workspace from the output's arena for the duration of a call; taken in dry passes too.
class Workspace {
 public:
  Workspace(const Tensor& output, std::size_t bytes) {
    if (bytes > 0) block_ = output.arena().allocate(bytes);
  }
  void* data() const { return block_ ? block_->data() : nullptr; }

 private:
  std::shared_ptr<Block> block_;
};

}  // namespace adwp::checks
