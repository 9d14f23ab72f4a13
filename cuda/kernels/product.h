// Matrix products: choices that GEMM and convolution share.
#pragma once

#include <algorithm>
#include <cstdint>

namespace adwp::ADWP_GPU {

// How products are multiplied; sums are f32 always. f32 is exact f32 arithmetic. tf32 rounds operands to
// 10 bits of mantissa, bf16 to 7, and runs on the matrix units.
enum class Math { f32, tf32, bf16 };

// Steps of the ladder: one thread an element; 16 x 16 tiles in shared memory; the pipelined kernel.
enum class Level { naive, tiled, fast };

struct ProductChoice {
  Math math = Math::f32;
  Level level = Level::fast;
};

// Rows and columns of C that a block of the fast kernel makes.
inline constexpr int tile_m = 128, tile_n = 64;

// Parts that k is split into, so that narrow and deep products fill the device. Depends on the shape
// alone, so that sums have one order.
inline std::int64_t product_splits(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch = 1) {
  const std::int64_t tiles = batch * ((m + tile_m - 1) / tile_m) * ((n + tile_n - 1) / tile_n);
  const std::int64_t wanted = 256 / (tiles < 1 ? 1 : tiles), possible = k / 256;
  const std::int64_t splits = wanted < possible ? wanted : possible;
  return splits < 1 ? 1 : splits;
}
// Floats of scratch for that.
inline std::int64_t product_scratch(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch = 1) {
  const std::int64_t splits = product_splits(m, n, k, batch);
  return splits > 1 ? batch * splits * m * n : 0;
}

inline constexpr std::int64_t most_in_launch = 65535;  // products of a batch: blockIdx.z

struct ProductShape {
  std::int64_t m, n, k;
  std::int64_t batch = 1;
  std::int64_t splits = product_splits(m, n, k, batch);
};
// What one launch takes of a batch, from its product `first` on. It is split as the whole batch is: that is
// what the scratch was made for.
inline ProductShape part_of(const ProductShape& whole, std::int64_t first) {
  ProductShape part = whole;
  part.batch = std::min(whole.batch - first, most_in_launch);
  return part;
}

}  // namespace adwp::ADWP_GPU
