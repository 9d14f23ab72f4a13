// The moments of every column of a tile of C, taken from the sums while they stand in registers: what batch
// norm wants to know of a convolution's output, without reading it again.
//
// A tile leaves three numbers a column: its first element, and the sums of the differences from that and of
// their squares. Such differences are small whatever the mean is, and lose nothing in f32.
//
// Tiles are merged in two steps, by groups of some square root of their number: the last block of a group
// merges its tiles, the last of all groups merges what groups have left (last_block.cuh). Which tiles belong
// together, and in what order they are added, the shape alone says.
#pragma once

#include "cuda/kernels/last_block.cuh"
#include "cuda/kernels/math.cuh"
#include "cuda/kernels/part_sums.cuh"
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

// What the blocks of a convolution need to make the mean and the variance of y. Passed to kernels.
struct TileMoments {
  Tiles tiles;
  bool even;
  int across, down, count;  // tiles
  int group, groups;        // tiles in a group, which is a power of two or all there are; groups
  int channels, pitch;
  float* parts;       // (count + groups, 3, pitch): moments of tiles, then of groups
  unsigned* tickets;  // of each block of columns 1 + groups, zero; null: no moments are wanted
  float *mean, *var;  // (channels)

  __device__ bool wanted() const { return tickets != nullptr; }
  // Where a tile leaves those of the columns from `column` on.
  __device__ float* of_tile(std::int64_t tile, int column) const { return parts + tile * 3 * pitch + column; }
  // Pixels of tiles 0 ... tile - 1. Those at the right and lower edges of an image have fewer.
  __device__ std::int64_t pixels_before(int tile) const {
    if (even) return std::int64_t{tile} * (tiles.width * tiles.height);
    const std::int64_t row = tile / across % down * std::int64_t{tiles.height};
    const std::int64_t left = tiles.image_height - row, height = left < tiles.height ? left : tiles.height;
    return (tile / across / down * tiles.image_height + row) * tiles.image_width +
           height * (tile % across * tiles.width);
  }
};

// The same without places. `columns`: of a block.
inline TileMoments moments_of(const Tiles& tiles, std::int64_t channels) {
  TileMoments m{tiles, tiles.even(), tiles.across(), static_cast<int>(tiles.down()),
                static_cast<int>(tiles.count())};
  m.group = m.count;
  if (m.count > 32) {
    for (m.group = 8; m.group * m.group < m.count;) m.group *= 2;
  }
  m.groups = m.count > 0 ? (m.count + m.group - 1) / m.group : 0;
  m.channels = static_cast<int>(channels);
  m.pitch = (m.channels + 3) / 4 * 4;
  return m;
}
// Floats of scratch, and tickets, for blocks of at least 32 columns.
inline std::int64_t scratch_of(const TileMoments& m) {
  return (std::int64_t{m.count} + m.groups) * 3 * m.pitch;
}
inline std::int64_t tickets_of(const TileMoments& m) {
  return (m.channels + 31) / 32 * (m.groups + std::int64_t{1});
}

// Mean and biased variance of a channel from the sums of differences from a number nearby, and of their
// squares.
__device__ __forceinline__ void store_moments(double pivot, double first, double second, double rows,
                                              float* mean, float* var) {
  const double difference = first / rows, square = second / rows - difference * difference;
  *mean = pivot + difference;
  *var = square > 0 ? square : 0.0;
}

// Sums of differences from `pivot`, and of their squares.
struct Differences {
  double pivot, first, second;
};

// Merges the moments `parts` (.., 3, pitch) from `begin` to `end`, each of `tiles` tiles. Every part's sums
// are moved to the first one's pivot, which takes no division, and added: in double, where what the move
// cancels is far below f32. For all threads of a block, each of which has four columns of every so many
// parts; the first Columns get the sums of a column each. `room`: 64 Threads bytes of shared memory where
// Columns is 64, or half.
template <int Columns, int Threads>
__device__ __forceinline__ Differences add_moments(const TileMoments& m, const float* parts, int begin,
                                                   int end, int tiles, int first_column, double* room) {
  constexpr int lanes = 16, V = Columns / lanes, rows = Threads / lanes, warps = Threads / 32;
  const int lane = thread_index() % lanes, warp = thread_index() / 32;
  const std::int64_t size = 3 * m.pitch;
  const float* from = parts + begin * size + first_column;
  double first[V] = {}, second[V] = {};
  if (first_column + lane * V < m.channels) {
    float pivot[V];
    load(pivot, from + lane * V);
    UNROLL_BY(2) for (int i = begin + thread_index() / lanes; i < end; i += rows) {
      const float* part = parts + i * size + first_column + lane * V;
      float own[V], a[V], b[V];
      load(own, part);
      load(a, part + m.pitch);
      load(b, part + 2 * m.pitch);
      const int last = (i + 1) * tiles < m.count ? (i + 1) * tiles : m.count;
      const double pixels = m.pixels_before(last) - m.pixels_before(i * tiles);
      UNROLL for (int v = 0; v < V; ++v) {
        const double move = double{own[v]} - pivot[v], moved = pixels * move;
        first[v] += a[v] + moved;
        second[v] += b[v] + move * (2 * double{a[v]} + moved);
      }
    }
  }
  UNROLL for (int v = 0; v < V; ++v) {
    first[v] = over_lanes<lanes>(first[v]);
    second[v] = over_lanes<lanes>(second[v]);
    if (thread_index() % 32 < lanes) {
      room[warp * Columns + lane * V + v] = first[v];
      room[(warps + warp) * Columns + lane * V + v] = second[v];
    }
  }
  __syncthreads();
  Differences sum{};
  const int column = thread_index();
  if (column < Columns && first_column + column < m.channels) {
    sum.pivot = from[column];
    UNROLL for (int i = 0; i < warps; ++i) {
      sum.first += room[i * Columns + column];
      sum.second += room[(warps + i) * Columns + column];
    }
  }
  return sum;
}

// For all threads of a block that has left the moments of Columns columns of its tile.
template <int Columns, int Threads>
__device__ __forceinline__ void merge_in_last_block(const TileMoments& m, int tile, int first_column,
                                                    void* room) {
  unsigned* tickets = m.tickets + first_column / Columns * (m.groups + 1);
  const int group = tile / m.group, column = thread_index();
  const bool own = column < Columns && first_column + column < m.channels;
  for (bool of_group = m.groups > 1;; of_group = false) {
    const int begin = of_group ? group * m.group : 0, all = m.groups > 1 && !of_group ? m.groups : m.count;
    const int end = of_group && begin + m.group < all ? begin + m.group : all;
    if (!last_of(tickets + (of_group ? 1 + group : 0), end - begin)) return;
    const bool of_tiles = of_group || m.groups == 1;
    const float* parts = of_tiles ? m.parts : m.of_tile(m.count, 0);
    const Differences sum = add_moments<Columns, Threads>(m, parts, begin, end, of_tiles ? 1 : m.group,
                                                          first_column, static_cast<double*>(room));
    const double pixels = m.pixels_before(of_tiles ? end : m.count) - m.pixels_before(begin);
    if (!of_group) {
      if (own) {
        store_moments(sum.pivot, sum.first, sum.second, pixels, m.mean + first_column + column,
                      m.var + first_column + column);
      }
      return;
    }
    if (own) {  // about their mean, as a tile's
      float* to = m.of_tile(m.count + group, first_column + column);
      const float mean = sum.pivot + sum.first / pixels;
      const double move = mean - sum.pivot;
      to[0] = mean;
      to[m.pitch] = sum.first - pixels * move;
      to[2 * m.pitch] = sum.second - move * (2 * sum.first - pixels * move);
    }
  }
}

// y of batch norm whose statistics are known (batch_norm.cu); nothing where op has no y.
void normalise_known(void* stream, const BatchNormForward& op);

// For all threads of a block, whose tile of C is number `tile` of those below each other. rows: what is left
// of C from this tile on. `memory`: where the block's operands lay.
template <typename Sums>
__device__ void tile_moments(const Sums& sums, float* memory, std::int64_t rows, const TileMoments& m,
                             int tile, int first_column) {
  constexpr int size = Sums::groups * tile_n;
  float *pivots = memory, *first = memory + tile_n, *second = first + size;
  __syncthreads();  // until here others may read operands
  if (Sums::row(0) == 0) {
    UNROLL for (int j = 0; j < Sums::columns; ++j) pivots[Sums::column(j)] = sums.at(0, j);
  }
  __syncthreads();
  const int there = rows < tile_m ? static_cast<int>(rows) : tile_m;
  const auto leave = [&]<bool Whole>() {
    UNROLL for (int j = 0; j < Sums::columns; ++j) {
      const float pivot = pivots[Sums::column(j)];
      float sum = 0, squares = 0;
      UNROLL for (int i = 0; i < Sums::rows; ++i) {
        if (!Whole && Sums::row(i) >= there) continue;
        const float difference = sums.at(i, j) - pivot;
        sum += difference;
        squares = fmaf(difference, difference, squares);
      }
      sum = Sums::over_lanes(sum);
      squares = Sums::over_lanes(squares);
      if (Sums::first_of_lanes()) {
        first[Sums::group() * tile_n + Sums::column(j)] = sum;
        second[Sums::group() * tile_n + Sums::column(j)] = squares;
      }
    }
  };
  if (there == tile_m) {
    leave.template operator()<true>();
  } else {
    leave.template operator()<false>();
  }
  __syncthreads();
  const int which = thread_index() / tile_n, column = thread_index() % tile_n;
  if (which < 2 && first_column + column < m.channels) {
    const float* groups = which == 0 ? first : second;
    float total = 0;
    UNROLL for (int group = 0; group < Sums::groups; ++group) total += groups[group * tile_n + column];
    float* to = m.of_tile(tile, first_column + column);
    to[(1 + which) * m.pitch] = total;
    if (which == 0) to[0] = pivots[column];
  }
  merge_in_last_block<tile_n, 256>(m, tile, first_column, memory);
}

}  // namespace adwp::ADWP_GPU
