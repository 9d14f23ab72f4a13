// Dense convolution of images of three channels, the first layer of every network, by windows of 3 x 3. As a
// product it is 27 deep and made of single elements: most of its time went into finding them. Here a block
// takes 32 filters of a tile of outputs of one image. Its inputs, halo included, and the kernels come to
// shared memory once; a thread makes 4 outputs by 4 filters, which it stores 16 bytes at a time. f32 whatever
// the precision.
#include "cuda/kernels/convolution.h"
#include "cuda/kernels/math.cuh"
#include "cuda/kernels/part_sums.cuh"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

constexpr int channels = 3, window = 3, depth = window * window * channels;
constexpr int tile_width = 16, tile_height = 8, filters_a_block = 32;
constexpr int side = 4;                                         // outputs and filters of a thread
constexpr int lanes = filters_a_block / side;                   // threads with the same outputs
constexpr int outputs_apart = tile_width * tile_height / side;  // of a thread, in the tile

// The moments of the block's outputs (tile_moments.cuh): each filter's first output, and the
// sums of the differences from it and of their squares.
__device__ __forceinline__ void leave_moments(const float (&sums)[side][side], const bool (&there)[side],
                                              const TileMoments& m, int tile, int first_filter) {
  SHARED(float, pivots, [filters_a_block]);
  SHARED(float, parts, [2][8][filters_a_block]);
  const int own = thread_index() % lanes * side, warp = thread_index() / 32;
  if (thread_index() < lanes) store(&pivots[own], sums[0]);
  __syncthreads();
  UNROLL for (int f = 0; f < side; ++f) {
    float first = 0, second = 0;
    UNROLL for (int i = 0; i < side; ++i) {
      const float difference = there[i] ? sums[i][f] - pivots[own + f] : 0.0f;
      first += difference;
      second = fmaf(difference, difference, second);
    }
    first = over_lanes<lanes>(first);
    second = over_lanes<lanes>(second);
    if (thread_index() % 32 < lanes) {
      parts[0][warp][own + f] = first;
      parts[1][warp][own + f] = second;
    }
  }
  __syncthreads();
  const int which = thread_index() / filters_a_block, filter = thread_index() % filters_a_block;
  if (which < 2) {
    float total = 0;
    UNROLL for (int other = 0; other < 8; ++other) total += parts[which][other][filter];
    float* to = m.of_tile(tile, first_filter + filter);
    to[(1 + which) * m.pitch] = total;
    if (which == 0) to[0] = pivots[filter];
  }
}

template <int S, bool WithMoments, typename T>
__global__ void __launch_bounds__(256,
                                  WithMoments ? 3 : 4)  // told nothing, ptxas spills to fit more blocks an SM
    few_channels(ConvShape s, const float* x, const float* w, T* y, TileMoments moments) {
  constexpr int rows = (tile_height - 1) * S + window, columns = ((tile_width - 1) * S + window) * channels;
  SHARED(float, tile, [rows][columns]);
  SHARED(float, kernels, [depth][filters_a_block + 4]);  // for the banks of the stores below
  const int across = (s.out_width + tile_width - 1) / tile_width;
  const int down = (s.out_height + tile_height - 1) / tile_height;
  const int first_q = blockIdx.x % across * tile_width, first_p = blockIdx.x / across % down * tile_height;
  const std::int64_t n = blockIdx.x / across / down;
  const int first_filter = blockIdx.y * filters_a_block;
  const float* image = x + n * s.height * s.width * channels;
  for (int i = thread_index(); i < rows * columns; i += 256) {
    const int row = i / columns, at = i % columns;
    const int h = first_p * S - s.padding + row, v = (first_q * S - s.padding) * channels + at;
    const bool inside = h >= 0 && h < s.height && v >= 0 && v < s.width * channels;
    tile[row][at] = inside ? image[std::int64_t{h} * s.width * channels + v] : 0.0f;
  }
  for (int i = thread_index(); i < depth * filters_a_block; i += 256) {
    kernels[i % depth][i / depth] = w[first_filter * depth + i];
  }
  __syncthreads();

  const int own = thread_index() % lanes * side, output = thread_index() / lanes;
  float sums[side][side] = {};
  UNROLL for (int r = 0; r < window; ++r) {
    UNROLL for (int k = 0; k < window * channels; ++k) {
      float taps[side];
      load(taps, &kernels[r * window * channels + k][own]);
      UNROLL for (int i = 0; i < side; ++i) {
        const int at = output + i * outputs_apart;
        const float value = tile[at / tile_width * S + r][at % tile_width * S * channels + k];
        UNROLL for (int f = 0; f < side; ++f) sums[i][f] = fmaf(value, taps[f], sums[i][f]);
      }
    }
  }
  bool there[side];
  UNROLL for (int i = 0; i < side; ++i) {
    UNROLL for (int f = 0; f < side; ++f) sums[i][f] = rounded<T>(sums[i][f]);  // moments are those of y
    const int at = output + i * outputs_apart, p = first_p + at / tile_width, q = first_q + at % tile_width;
    there[i] = p < s.out_height && q < s.out_width;
    if (there[i])
      store(y + ((n * s.out_height + p) * s.out_width + q) * s.filters + first_filter + own, sums[i]);
  }
  if constexpr (WithMoments) {
    SHARED(double, room, [2 * 8 * filters_a_block]);
    leave_moments(sums, there, moments, blockIdx.x, first_filter);
    merge_in_last_block<filters_a_block, 256>(moments, blockIdx.x, first_filter, room);
  }
}

constexpr int segment = 32;  // outputs of a row that a warp takes at a time

// partial (parts, depth, filters) from one part of the output rows (n, p): 32 lanes (filters) by 8 warps,
// each of which goes along rows of its own. The rows of x that a segment sees come to shared memory; all
// lanes read the same element there. The window stands in registers, and moves by S pixels from output to
// output.
template <int S, typename T>
__global__ void __launch_bounds__(256, 2)  // told nothing, ptxas spills to fit a third block an SM
    wgrad_few_channels(ConvShape s, const float* x, const T* dy, float* partial) {
  constexpr int wide = ((segment - 1) * S + window) * channels, row_of_window = window * channels;
  SHARED(float, lines, [8][window][wide]);
  const int lane = thread_index() % 32, warp = thread_index() / 32, filter = blockIdx.x * 32 + lane;
  const std::int64_t rows = s.images * s.out_height, part = blockIdx.y, parts = gridDim.y;
  float own[window][row_of_window] = {};
  for (std::int64_t row = rows * part / parts + warp; row < rows * (part + 1) / parts; row += 8) {
    const int top = static_cast<int>(row % s.out_height) * S - s.padding;
    const float* image = x + row / s.out_height * s.height * s.width * channels;
    for (int first = 0; first < s.out_width; first += segment) {
      const int left = (first * S - s.padding) * channels;
      __syncwarp();
      for (int i = lane; i < window * wide; i += 32) {
        const int h = top + i / wide, at = left + i % wide;
        const bool inside = h >= 0 && h < s.height && at >= 0 && at < s.width * channels;
        lines[warp][i / wide][i % wide] = inside ? image[std::int64_t{h} * s.width * channels + at] : 0.0f;
      }
      __syncwarp();
      const int outputs = s.out_width - first < segment ? s.out_width - first : segment;
      const T* gradients = dy + (row * s.out_width + first) * s.filters + filter;
      float seen[window][row_of_window] = {};
      UNROLL for (int r = 0; r < window; ++r) {
        UNROLL for (int k = S * channels; k < row_of_window; ++k) seen[r][k] =
            lines[warp][r][k - S * channels];
      }
      UNROLL_BY(3) for (int q = 0; q < outputs; ++q, gradients += s.filters) {
        const float gradient = value_of(*gradients);
        UNROLL for (int r = 0; r < window; ++r) {
          UNROLL for (int k = 0; k < row_of_window; ++k) {
            constexpr int step = S * channels;
            seen[r][k] = k + step < row_of_window ? seen[r][k + step < row_of_window ? k + step : 0]
                                                  : lines[warp][r][q * step + k];
            own[r][k] = fmaf(gradient, seen[r][k], own[r][k]);
          }
        }
      }
    }
  }
  leave_partials(own, lane, warp, true, partial + part * depth * s.filters + filter, s.filters);
}

template <int S, typename T>
void run(Stream stream, const ConvShape& s, const ConvForward& op, const TileMoments& moments) {
  const Grid grid{few_channels_tiles(s).count(), s.filters / filters_a_block};
  launch("conv2d_few_channels",
         moments.tickets != nullptr ? few_channels<S, true, T> : few_channels<S, false, T>, grid, 256, 0,
         stream, s, floats(op.x), floats(op.w), op.y.data<T>(), moments);
}

}  // namespace

// --- launching ---------------------------------------------------------------------------------------

bool has_few_channels(const ConvShape& s, const ConvForward& op) {
  return has_few_channels_wgrad(s) && op.x.dtype() == DType::f32 &&
         reinterpret_cast<std::uintptr_t>(op.y.address()) % 16 == 0;
}
Tiles few_channels_tiles(const ConvShape& s) {
  return {s.images, s.out_height, s.out_width, tile_height, tile_width};
}
bool has_few_channels_wgrad(const ConvShape& s) {
  return s.channels == channels && s.kernel == window && s.stride <= 2 && s.filters % filters_a_block == 0;
}
std::int64_t few_channels_wgrad_scratch(const ConvShape& s) {
  return wgrad_parts(s.images * s.out_height) * depth * s.filters;
}
void few_channels_wgrad(Stream stream, const ConvShape& s, const ConvWgrad& op, float* scratch) {
  const char* name = "conv2d_few_channels_wgrad";
  const std::int64_t parts = wgrad_parts(s.images * s.out_height);
  dispatch_stored(op.dy, [&]<typename T>() {
    launch(name, s.stride == 1 ? wgrad_few_channels<1, T> : wgrad_few_channels<2, T>,
           {s.filters / filters_a_block, parts}, 256, 0, stream, s, floats(op.x), op.dy.data<T>(), scratch);
  });
  run_add_parts(name, stream, StoreTaps{floats(op.dw), op.dw.adds(), depth, s.filters}, scratch, parts,
                depth * s.filters);
}
void convolve_few_channels(Stream stream, const ConvShape& s, const ConvForward& op,
                           const TileMoments& moments) {
  dispatch_stored(op.y, [&]<typename T>() {
    if (s.stride == 1) return run<1, T>(stream, s, op, moments);
    run<2, T>(stream, s, op, moments);
  });
}

}  // namespace adwp::ADWP_GPU
