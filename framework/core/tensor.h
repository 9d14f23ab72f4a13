// A tensor: a dtype, a shape and a view of arena memory on one device. Contiguous, row-major.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "framework/core/arena.h"
#include "framework/core/shape.h"

namespace adwp {

// A handle: copies share the memory. The memory returns to the arena with the last handle.
class Tensor {
 public:
  Tensor() = default;                                           // empty: no memory, `defined()` is false
  Tensor(Arena& arena, Shape shape, DType dtype = DType::f32);  // uninitialised

  static Tensor from_host(Arena& arena, Shape shape, std::span<const float> values);
  static Tensor from_host(Arena& arena, Shape shape, std::span<const Bf16> values);
  static Tensor from_host(Arena& arena, Shape shape, std::span<const std::uint8_t> values);
  static Tensor from_host(Arena& arena, Shape shape, std::span<const std::int32_t> values);

  bool defined() const { return block_ != nullptr; }
  bool shared() const { return block_.use_count() > 1; }  // has the memory another handle?
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  std::int64_t elements() const { return shape_.elements(); }
  std::size_t bytes() const { return elements() * size_of(dtype_); }
  Arena& arena() const;

  // Device addresses: only a backend may dereference them. Throw when T is not the dtype.
  template <typename T>
  T* data() const {
    expect_dtype(dtype_of<T>);
    return reinterpret_cast<T*>(address());
  }
  void* address() const;

  // The same memory under another shape; `view` starts `offset` elements further.
  Tensor reshaped(Shape shape) const;
  Tensor view(std::int64_t offset, Shape shape) const;

  // Waits for the device and copies; throws when T is not the dtype.
  template <typename T>
  std::vector<T> to_host() const {
    expect_dtype(dtype_of<T>);
    std::vector<T> values(elements());
    read(values.data());
    return values;
  }
  template <typename T>
  void copy_from_host(std::span<const T> values) const {
    expect_dtype(dtype_of<T>);
    write(values.data(), values.size());
  }
  void copy_from(const Tensor& other) const;  // same dtype and number of elements
  void zero() const;

  std::string text() const;  // "f32 (32, 8, 8, 16)", for error messages

 private:
  void expect_dtype(DType dtype) const;
  void read(void* host) const;
  void write(const void* host, std::size_t count) const;

  std::shared_ptr<Block> block_;
  Shape shape_;
  DType dtype_ = DType::f32;
  std::int64_t offset_ = 0;  // elements from the block's start
};

}  // namespace adwp
