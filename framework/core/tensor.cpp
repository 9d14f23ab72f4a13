#include "framework/core/tensor.h"

#include <fmt/ranges.h>

#include "framework/core/error.h"
#include "framework/core/shape.h"

namespace adwp {

Tensor::Tensor(Arena& arena, Shape shape, DType dtype)
    : block_(arena.allocate(shape.elements() * size_of(dtype))), shape_(shape), dtype_(dtype) {}

namespace {
template <typename T>
Tensor upload(Arena& arena, Shape shape, std::span<const T> values) {
  Tensor tensor(arena, shape, dtype_of<T>);
  tensor.copy_from_host(values);
  return tensor;
}
}  // namespace

Tensor Tensor::from_host(Arena& arena, Shape shape, std::span<const float> values) {
  return upload(arena, shape, values);
}
Tensor Tensor::from_host(Arena& arena, Shape shape, std::span<const Bf16> values) {
  return upload(arena, shape, values);
}
Tensor Tensor::from_host(Arena& arena, Shape shape, std::span<const std::uint8_t> values) {
  return upload(arena, shape, values);
}
Tensor Tensor::from_host(Arena& arena, Shape shape, std::span<const std::int32_t> values) {
  return upload(arena, shape, values);
}

Arena& Tensor::arena() const {
  require(defined(), "tensor", "an empty tensor has no arena");
  return block_->arena();
}

void* Tensor::address() const {
  require(defined(), "tensor", "an empty tensor has no memory");
  return block_->data() + offset_ * size_of(dtype_);
}

Tensor Tensor::reshaped(Shape shape) const {
  require(shape.elements() == elements(), "reshape", "another number of elements, got {}, from {}",
          shape.text(), text());
  return view(0, shape);
}

Tensor Tensor::view(std::int64_t offset, Shape shape) const {
  require(defined() && offset >= 0 && offset + shape.elements() <= elements(), "view",
          "out of range, got offset {} and shape {}, of {}", offset, shape.text(), text());
  Tensor result = *this;
  result.offset_ += offset;
  result.shape_ = shape;
  return result;
}

void Tensor::copy_from(const Tensor& other) const {
  require(other.dtype_ == dtype_ && other.elements() == elements(), "copy", "unlike tensors, got {} into {}",
          other.text(), text());
  if (arena().counting()) return;
  arena().memory().copy(address(), other.address(), bytes());
}

void Tensor::zero() const {
  if (!arena().counting()) arena().memory().fill(address(), 0, bytes());
}

std::string Tensor::text() const {
  return defined() ? fmt::format("{} {}", name_of(dtype_), shape_.text()) : "empty tensor";
}

void Tensor::expect_dtype(DType dtype) const {
  require(dtype == dtype_, "tensor", "wrong element type, got {}, expected {}", name_of(dtype), text());
}

void Tensor::read(void* host) const {
  if (!arena().counting()) arena().memory().read(host, address(), bytes());
}

void Tensor::write(const void* host, std::size_t count) const {
  require(count == static_cast<std::size_t>(elements()), "upload",
          "wrong number of values, got {}, expected {}", count, text());
  if (!arena().counting()) arena().memory().write(address(), host, bytes());
}

Shape::Shape(std::initializer_list<std::int64_t> extents) {
  require(extents.size() <= max_rank, "shape", "too many dimensions, got {}, expected at most {}",
          extents.size(), max_rank);
  std::int64_t product = 1;
  for (std::int64_t extent : extents) {
    require(extent >= 0, "shape", "negative extent, got {}", extent);
    require(extent == 0 || product <= (std::int64_t{1} << 62) / extent, "shape",
            "too many elements, got {} x {}", product, extent);
    product *= extent;
    extents_[rank_++] = extent;
  }
}

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  for (int axis = 0; axis < rank_; ++axis) product *= (*this)[axis];
  return product;
}

std::string Shape::text() const {
  return fmt::format("({})", fmt::join(extents_.begin(), extents_.begin() + rank_, ", "));
}

}  // namespace adwp
