// The extents of a tensor: up to four dimensions.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace adwp {

// Images are (N, H, W, C), kernels (K, R, S, C / groups), matrices (rows, columns), all row-major.
class Shape {
 public:
  static constexpr int max_rank = 4;

  Shape() = default;  // rank 0: one element
  // Throws when more than four extents, a negative one, or 2^62 or more elements are asked for.
  Shape(std::initializer_list<std::int64_t> extents);

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return extents_[axis]; }
  std::int64_t back() const { return rank_ == 0 ? 1 : extents_[rank_ - 1]; }
  std::int64_t elements() const;
  // Product of all extents but the last: how many channel vectors (or matrix rows) there are.
  std::int64_t rows() const { return back() == 0 ? 0 : elements() / back(); }

  bool operator==(const Shape& other) const = default;
  std::string text() const;  // "(32, 8, 8, 16)"

 private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

}  // namespace adwp
