// The types of elements, and the extents of a tensor: up to four dimensions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace adwp {

// f32: all arithmetic. u8: images as stored. i32: labels, indices and tables. bf16: values between the
// operators of a network (Backend::storage).
enum class DType { f32, u8, i32, bf16 };

constexpr std::size_t size_of(DType dtype) { return dtype == DType::u8 ? 1 : dtype == DType::bf16 ? 2 : 4; }
constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::u8:
      return "u8";
    case DType::i32:
      return "i32";
  }
  return "?";
}

// The upper half of an f32. A device's code rounds to it and computes with it.
struct Bf16 {
  std::uint16_t bits;
};

template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<Bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <typename T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

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
