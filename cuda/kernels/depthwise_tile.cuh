// Depthwise convolution by tiles: the forward pass, and dgrad with stride 1, which is the forward pass with
// the kernel turned about.
//
// A block takes 32 channels of a tile of outputs of one image. Its inputs, halo included, come to shared
// memory once, 16 bytes of a thread at a time and many on the way at once; a norm is applied between. A
// thread makes 4 x 4 outputs of two channels in registers: every input that it reads serves all the outputs
// about it, 1.1 reads an output where 9 were (K = 3). The arithmetic itself is 9 of some 25 instructions an
// output; all else is kept small: addresses count on in 32 bits, and edges cost a predicate.
#pragma once

#include "cuda/kernels/convolution.h"
#include "cuda/kernels/math.cuh"
#include "cuda/kernels/part_sums.cuh"

namespace adwp::ADWP_GPU {

// How outputs are cut into blocks and threads. Small: for images that 16 x 16 would not fit.
template <int Kernel, int Stride, bool Small>
struct DepthwiseCut {
  static constexpr int channels = Kernel == 7 ? 1 : 2;           // of a thread, whose taps stand in registers
  static constexpr int rows = 4, columns = Stride == 1 ? 4 : 1;  // outputs of a thread
  static constexpr int width = Stride == 1 && !Small ? 16 : 8;
  static constexpr int height = Stride == 1 ? (Kernel == 3 && !Small ? 16 : 8) : (Kernel == 3 ? 8 : 4);
  static constexpr int lanes = 32 / channels, across = width / columns;
  static constexpr int threads = lanes * across * (height / rows);
  // An SM, as ptxas is told: for fewer it would take more registers than help, for more it would spill.
  static constexpr int blocks = (Kernel == 5 ? 512 : 768 - Small * 128) / threads;
  static constexpr int in_rows = (height - 1) * Stride + Kernel, in_columns = (width - 1) * Stride + Kernel;
  static constexpr int pixels = in_rows * in_columns;
};

// Calls body.operator()<Small>() as the outputs of a stride of 1 want it.
template <typename Body>
auto dispatch_small(int kernel, const ConvShape& s, Body&& body) {
  const auto wastes = [](int size) { return (size + 15) / 16 * 2 > (size + 7) / 8; };
  const bool small = wastes(s.out_width) || (kernel == 3 && wastes(s.out_height));
  return small ? body.template operator()<true>() : body.template operator()<false>();
}

// Where channel c of a pixel's 32 lies in the tile: odd pixels have each two groups of four exchanged, so
// that threads which store eight channels of pixels side by side meet in no bank.
__device__ __forceinline__ int place_in_tile(int pixel, int c) { return pixel * 32 + (c ^ (pixel & 1) << 2); }

// Brings the inputs from (top, left) on to the tile, zero beyond the image; a thread has V channels, from
// `image` on, of every so many pixels. `own`: its first channel of the 32; `inside`: are there such channels?
template <typename Cut, bool Normed, int V, typename T>
__device__ __forceinline__ void load_tile(const ConvShape& s, const T* image, int top, int left, int own,
                                          bool inside, const NormLine<V>& line, Activation act, float* tile) {
  using Chunk = std::conditional_t<V == 1, T, std::conditional_t<sizeof(T) == 4, float4, uint4>>;
  constexpr int apart = Cut::threads / (32 / V), chunks = (Cut::pixels + apart - 1) / apart, at_once = 4;
  static_assert(apart % 2 == 0);  // a thread's pixels are all odd, or all even
  int pixel = thread_index() / (32 / V), column = pixel % Cut::in_columns, h = top + pixel / Cut::in_columns;
  int offset = (h * s.width + left + column) * s.channels;
  const int step = (apart / Cut::in_columns * s.width + apart % Cut::in_columns) * s.channels;
  const int wrap = (s.width - Cut::in_columns) * s.channels;
  float *low = tile + place_in_tile(pixel, own), *high = tile + place_in_tile(pixel, own + V / 2);
  UNROLL_BY(V == 1 ? 1 : 16) for (int first = 0; first < chunks; first += at_once) {
    Chunk raw[at_once] = {};
    bool there[at_once];
    UNROLL for (int j = 0; j < at_once; ++j) {
      there[j] = inside && static_cast<unsigned>(h) < static_cast<unsigned>(s.height) &&
                 static_cast<unsigned>(left + column) < static_cast<unsigned>(s.width) &&
                 pixel + (first + j) * apart < Cut::pixels;
      if (first + j < chunks) raw[j] = *reinterpret_cast<const Chunk*>(image + (there[j] ? offset : 0));
      h += apart / Cut::in_columns;
      column += apart % Cut::in_columns;
      offset += step;
      if (column >= Cut::in_columns) {
        column -= Cut::in_columns;
        ++h;
        offset += wrap;
      }
    }
    UNROLL for (int j = 0; j < at_once; ++j) {
      if (first + j >= chunks || pixel + (first + j) * apart >= Cut::pixels) continue;
      float values[V] = {};
      if (there[j]) {
        load(values, reinterpret_cast<const T*>(&raw[j]));
        if constexpr (Normed) line.apply(act, values);
      }
      const int at = (first + j) * apart * 32;
      if constexpr (V == 8) {
        const float lower[4] = {values[0], values[1], values[2], values[3]};
        const float upper[4] = {values[4], values[5], values[6], values[7]};
        store(low + at, lower);
        store(high + at, upper);
      } else {
        store(low + at, values);
      }
    }
  }
}

// A thread's outputs: sums[row][column][channel], taps by ascending row and column. `tile`: from its first
// input on; `own`: its first channel of the 32.
template <int K, int S, bool Turned, typename Cut>
__device__ __forceinline__ void convolve(const float* tile, const float* kernels, int own,
                                         float (&sums)[Cut::rows][Cut::columns][Cut::channels]) {
  constexpr int C = Cut::channels;
  float taps[K * K][C];
  UNROLL for (int i = 0; i < K * K; ++i) {
    UNROLL for (int c = 0; c < C; ++c) taps[i][c] = kernels[(own + c) * K * K + (Turned ? K * K - 1 - i : i)];
  }
  const float *even = tile + place_in_tile(0, own), *odd = tile + place_in_tile(1, own) - 32;
  UNROLL for (int row = 0; row < (Cut::rows - 1) * S + K; ++row) {
    float line[(Cut::columns - 1) * S + K][C];
    UNROLL for (int t = 0; t < (Cut::columns - 1) * S + K; ++t) {
      const int pixel = row * Cut::in_columns + t;
      load(line[t], (pixel % 2 == 0 ? even : odd) + pixel * 32);
    }
    UNROLL for (int p = 0; p < Cut::rows; ++p) {
      const int r = row - p * S;
      if (r < 0 || r >= K) continue;
      UNROLL for (int t = 0; t < K; ++t) {
        UNROLL for (int q = 0; q < Cut::columns; ++q) {
          UNROLL for (int c = 0; c < C; ++c) {
            sums[p][q][c] = fmaf(line[q * S + t][c], taps[r * K + t][c], sums[p][q][c]);
          }
        }
      }
    }
  }
}

// The moments of the block's outputs as stored (tile_moments.cuh): the first output of each channel, and the
// sums of the differences from it and of their squares. `rows`, `columns`: of the thread's outputs, those
// that there are. For all threads of a block.
template <typename Cut>
__device__ __forceinline__ void leave_moments(const float (&outputs)[Cut::rows][Cut::columns][Cut::channels],
                                              int own, int rows, int columns, const TileMoments& m, int tile,
                                              int first_channel) {
  constexpr int C = Cut::channels, warps = Cut::threads / 32;
  SHARED(float, pivots, [32]);
  SHARED(float, sums, [2][warps][32]);
  if (thread_index() < Cut::lanes) store(&pivots[own], outputs[0][0]);
  __syncthreads();
  float pivot[C], first[C] = {}, second[C] = {};
  load(pivot, &pivots[own]);
  const bool whole = rows >= Cut::rows && columns >= Cut::columns;
  UNROLL for (int p = 0; p < Cut::rows; ++p) {
    UNROLL for (int q = 0; q < Cut::columns; ++q) {
      if (!whole && (p >= rows || q >= columns)) continue;
      UNROLL for (int c = 0; c < C; ++c) {
        const float difference = outputs[p][q][c] - pivot[c];
        first[c] += difference;
        second[c] = fmaf(difference, difference, second[c]);
      }
    }
  }
  UNROLL for (int c = 0; c < C; ++c) {
    first[c] = over_lanes<Cut::lanes>(first[c]);
    second[c] = over_lanes<Cut::lanes>(second[c]);
  }
  if (thread_index() % 32 < Cut::lanes) {
    store(&sums[0][thread_index() / 32][own], first);
    store(&sums[1][thread_index() / 32][own], second);
  }
  __syncthreads();
  const int which = thread_index() / 32, channel = thread_index() % 32;
  if (which < 2 && first_channel + channel < m.channels) {
    float total = 0;
    UNROLL for (int warp = 0; warp < warps; ++warp) total += sums[which][warp][channel];
    float* to = m.of_tile(tile, first_channel + channel);
    to[(1 + which) * m.pitch] = total;
    if (which == 0) to[0] = pivots[channel];
  }
}

// Of the thread's outputs those that there are: rows, columns, channels. `to`: the first one's place.
template <typename Cut, int V, typename T>
__device__ __forceinline__ void store_outputs(const float (&sums)[Cut::rows][Cut::columns][Cut::channels],
                                              T* to, const ConvShape& s, int rows, int columns, int channels,
                                              bool accumulate) {
  UNROLL for (int i = 0; i < Cut::rows; ++i, to += std::int64_t{s.out_width} * s.channels) {
    T* at = to;
    UNROLL for (int j = 0; j < Cut::columns; ++j, at += s.channels) {
      if (i >= rows || j >= columns) continue;
      if constexpr (V > 1) {
        put(at, sums[i][j], accumulate);
      } else {  // channels of any number
        UNROLL for (int c = 0; c < Cut::channels; ++c) {
          if (c < channels) put(at[c], sums[i][j][c], accumulate);
        }
      }
    }
  }
}

// x to y, or dy to dx where Turned. V: channels of an access to x. Normed: x goes through its norm on the way
// to shared memory; the border stays zero. T: in which x and y lie. Blocks: images by groups of channels,
// tiles down, tiles across.
template <int K, int S, bool Small, bool Turned, int V, bool Normed, typename T>
__global__ void __launch_bounds__(DepthwiseCut<K, S, Small>::threads, DepthwiseCut<K, S, Small>::blocks)
    depthwise_tile(ConvShape s, const T* x, const float* w, T* y, bool accumulate, TileMoments moments,
                   InputNorm input) {
  using Cut = DepthwiseCut<K, S, Small>;
  constexpr int C = Cut::channels;
  SHARED(float, tile, [Cut::pixels * 32]);
  SHARED(float, kernels, [32 * K * K]);
  const unsigned groups = static_cast<unsigned>(s.channels + 31) / 32;
  const unsigned n = blockIdx.x / groups;
  const int first_channel = static_cast<int>(blockIdx.x - n * groups) * 32;
  const int first_p = blockIdx.y * Cut::height, first_q = blockIdx.z * Cut::width;

  const int channel = thread_index() % (32 / V) * V;
  const bool inside = first_channel + channel < s.channels;
  const int first_tap = first_channel * K * K, all_taps = s.channels * K * K;
  for (int i = thread_index(); i < 32 * K * K; i += Cut::threads) {
    kernels[i] = first_tap + i < all_taps ? w[first_tap + i] : 0.0f;
  }
  NormLine<V> line;
  if constexpr (Normed) line = block_norm<V, T>(input.norm, first_channel, channel, s.channels);
  const T* image = x + std::int64_t{n} * s.height * s.width * s.channels;
  load_tile<Cut, Normed>(s, image + (inside ? first_channel + channel : 0), first_p * S - s.padding,
                         first_q * S - s.padding, channel, inside, line, input.act, tile);
  __syncthreads();

  const int own = thread_index() % Cut::lanes * C, strip = thread_index() / Cut::lanes;
  const int p = strip / Cut::across * Cut::rows, q = strip % Cut::across * Cut::columns;
  float sums[Cut::rows][Cut::columns][C] = {};
  convolve<K, S, Turned, Cut>(tile + (p * Cut::in_columns + q) * S * 32, kernels, own, sums);

  const int rows = s.out_height - first_p - p, columns = s.out_width - first_q - q;
  const int left = s.channels - first_channel;
  if (!Turned && moments.wanted()) {
    UNROLL for (auto& row : sums) { UNROLL for (auto& output : row) round_all<T>(output); }
  }
  if (own < left) {
    const std::int64_t row = std::int64_t{n} * s.out_height + first_p + p;
    T* to = y + (row * s.out_width + first_q + q) * s.channels + first_channel + own;
    store_outputs<Cut, V>(sums, to, s, rows, columns, left - own, Turned && accumulate);
  }
  if (!Turned && moments.wanted()) {
    const int number = (static_cast<int>(n * gridDim.y) + blockIdx.y) * gridDim.z + blockIdx.z;
    leave_moments<Cut>(sums, own, rows, columns, moments, number, first_channel);
    merge_in_last_block<32, Cut::threads>(moments, number, first_channel, tile);
  }
}

}  // namespace adwp::ADWP_GPU
