// Matrix products: what GEMM and convolution share on the host.
#pragma once

#include <cstdint>

#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU {

// Rows and columns of C that a block of the fast kernel makes.
inline constexpr int tile_m = 128, tile_n = 64;

// C (m, n) = A (m, k) B (k, n).
struct ProductShape {
  std::int64_t m, n, k;
  bool batch_invariant = false;  // a row's bits do not depend on m: k is one part

  // Tiles of rows, each of which leaves moments (tile_moments.cuh).
  std::int64_t row_tiles() const { return (m + tile_m - 1) / tile_m; }
  // Parts that k is split into, so that narrow and deep products fill the device. Depends on the shape only,
  // so that sums have one order.
  std::int64_t splits() const {
    if (batch_invariant) return 1;
    const std::int64_t tiles = row_tiles() * ((n + tile_n - 1) / tile_n);
    const std::int64_t wanted = 256 / (tiles < 1 ? 1 : tiles), possible = k / 256;
    const std::int64_t splits = wanted < possible ? wanted : possible;
    return splits < 1 ? 1 : splits;
  }
  // Floats of scratch for the splits' sums.
  std::int64_t scratch() const { return splits() > 1 ? splits() * m * n : 0; }
};

// y (rows, columns) = act(y + bias), in place; bias: (columns) or null. For products of other libraries.
void bias_activation(void* stream, const float* bias, Activation act, float* y, std::int64_t rows,
                     std::int64_t columns);

}  // namespace adwp::ADWP_GPU
