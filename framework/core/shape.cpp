#include "framework/core/shape.h"

#include <fmt/ranges.h>

#include "framework/core/error.h"

namespace adwp {

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
