// Element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace adwp {

// f32: all arithmetic. u8: images as stored. i32: labels, indices and tables.
enum class DType { f32, u8, i32 };

constexpr std::size_t size_of(DType dtype) { return dtype == DType::u8 ? 1 : 4; }
constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::u8:
      return "u8";
    case DType::i32:
      return "i32";
  }
  return "?";
}

template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
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

}  // namespace adwp
