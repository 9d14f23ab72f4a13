// The moments of every column of a tile of C, taken from the sums while they stand in registers: what batch
// norm wants to know of a convolution's output, without reading it again.
//
// A tile leaves three numbers a column, (3, n): its mean as rounded, and the sums of the differences from
// that and of their squares. The first pass is only for the mean; differences from it, small whatever the
// mean, lose nothing in f32. A kernel of batch norm merges the tiles in ascending order, in double
// (batch_norm.cu).
#pragma once

#include "cuda/kernels/math.cuh"
#include "cuda/kernels/product.h"
#include "framework/backend/operators.h"

namespace adwp::ADWP_GPU {

// How y, pixels of images, is cut into tiles: from left to right, then down, then image by image.
struct Tiles {
  std::int64_t images, image_height;
  int image_width, height, width;

  int across() const { return (image_width + width - 1) / width; }
  std::int64_t down() const { return (image_height + height - 1) / height; }
  std::int64_t count() const { return images * down() * across(); }
  bool even() const { return image_width % width == 0 && image_height % height == 0; }
};
// A product's: one image of as many rows, one pixel wide.
inline Tiles row_tiles(std::int64_t rows) { return {1, rows, 1, tile_m, 1}; }

// Batch norm with the moments (tiles, 3, channels) that the convolution has left of x (batch_norm.cu); only
// mean and variance where op has no y.
void batch_norm_of_moments(void* stream, const BatchNormForward& op, const float* moments,
                           const Tiles& tiles);

// sums[group][column] of term(element, j), over the rows of the tile that there are.
template <typename Sums, typename Term>
__device__ void column_sums(const Sums& sums, std::int64_t rows, float* groups, Term&& term) {
  UNROLL for (int j = 0; j < Sums::columns; ++j) {
    float sum = 0;
    UNROLL for (int i = 0; i < Sums::rows; ++i) {
      if (Sums::row(i) < rows) sum += term(sums.at(i, j), j);
    }
    sum = Sums::over_lanes(sum);
    if (Sums::first_of_lanes()) groups[Sums::group() * tile_n + Sums::column(j)] = sum;
  }
}

template <typename Sums>
__device__ float column_total(const float* groups, int column) {
  float total = 0;
  UNROLL for (int group = 0; group < Sums::groups; ++group) total += groups[group * tile_n + column];
  return total;
}

// For all threads of a block. rows, columns: what is left of C from this tile on. `memory`: where the block's
// operands lay. moments: (3, n) from the tile's first column on.
template <typename Sums>
__device__ void tile_moments(const Sums& sums, float* memory, std::int64_t rows, std::int64_t columns,
                             float* moments, std::int64_t n) {
  constexpr int size = Sums::groups * tile_n;
  float *values = memory, *first = memory + size, *second = memory + 2 * size;
  const float share = 1.0f / (rows < tile_m ? rows : tile_m);

  __syncthreads();  // until here others may read operands
  column_sums(sums, rows, values, [](float value, int) { return value; });
  __syncthreads();
  float mean[Sums::columns];
  UNROLL for (int j = 0; j < Sums::columns; ++j) {
    mean[j] = column_total<Sums>(values, Sums::column(j)) * share;
  }
  column_sums(sums, rows, first, [&](float value, int j) { return value - mean[j]; });
  column_sums(sums, rows, second, [&](float value, int j) { return (value - mean[j]) * (value - mean[j]); });
  __syncthreads();
  const int column = thread_index();
  if (column < tile_n && column < columns) {
    moments[column] = column_total<Sums>(values, column) * share;
    moments[n + column] = column_total<Sums>(first, column);
    moments[2 * n + column] = column_total<Sums>(second, column);
  }
}

}  // namespace adwp::ADWP_GPU
