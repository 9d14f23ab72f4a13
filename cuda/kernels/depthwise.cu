// Depthwise convolution. Each channel is a picture of its own; there is nothing for the matrix units, and
// at k = 3 and 5 nothing but memory to wait for.
//
// naive: a thread an output, k * k reads from memory (most from the cache).
// fast:  a block takes 32 channels of a tile of outputs of one image. Its inputs, halo included, come to
//        shared memory once; lanes are channels, so that reads and writes are 128 bytes side by side and
//        meet in no bank. A thread makes a column of outputs: every input it reads serves all the
//        outputs above and below it, k reads where k * k were.
// dgrad with stride 1 is the forward pass with the kernel turned about; with stride 2 every input gathers
// from the outputs that it went to. wgrad: a block sums 32 channels over one part of the output rows in
// registers; a second kernel adds the parts in ascending order.
#include "cuda/kernels/depthwise.h"

#include "cuda/kernels/math.cuh"

namespace adwp::ADWP_GPU::kernels {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

__global__ void __launch_bounds__(threads_per_block)
    forward_naive(DepthwiseShape s, const float* x, const float* w, float* y, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const int c = static_cast<int>(i % s.channels);
    const int q = static_cast<int>(i / s.channels % s.out_width);
    const std::int64_t rest = i / s.channels / s.out_width;
    const int p = static_cast<int>(rest % s.out_height);
    const float* image = x + rest / s.out_height * s.height * s.width * s.channels;
    float sum = 0;
    for (int r = 0; r < s.kernel; ++r) {
      for (int t = 0; t < s.kernel; ++t) {
        const int h = p * s.stride + r - s.padding, v = q * s.stride + t - s.padding;
        if (h < 0 || h >= s.height || v < 0 || v >= s.width) continue;
        sum = fmaf(image[(static_cast<std::int64_t>(h) * s.width + v) * s.channels + c],
                   w[(static_cast<std::int64_t>(c) * s.kernel + r) * s.kernel + t], sum);
      }
    }
    y[i] = sum;
  }
}

// Gathers what reaches an input; K of 0: any kernel.
template <int K>
__global__ void __launch_bounds__(threads_per_block)
    dgrad_gather(DepthwiseShape s, const float* dy, const float* w, float* dx, bool accumulate,
                 std::int64_t n) {
  const int kernel = K > 0 ? K : s.kernel;
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const int c = static_cast<int>(i % s.channels);
    const int v = static_cast<int>(i / s.channels % s.width) + s.padding;
    const std::int64_t rest = i / s.channels / s.width;
    const int h = static_cast<int>(rest % s.height) + s.padding;
    const float* image = dy + rest / s.height * s.out_height * s.out_width * s.channels;
    float sum = 0;
    for (int r = h % s.stride; r < kernel && r <= h; r += s.stride) {
      const int p = (h - r) / s.stride;
      if (p >= s.out_height) continue;
      for (int t = v % s.stride; t < kernel && t <= v; t += s.stride) {
        const int q = (v - t) / s.stride;
        if (q >= s.out_width) continue;
        sum = fmaf(image[(static_cast<std::int64_t>(p) * s.out_width + q) * s.channels + c],
                   w[(static_cast<std::int64_t>(c) * kernel + r) * kernel + t], sum);
      }
    }
    put(dx[i], sum, accumulate);
  }
}

constexpr int tile_width = 8;
constexpr int tile_height(int stride) { return stride == 1 ? 8 : 4; }

// 32 lanes (channels) by 8 columns of outputs. `Turned`: the kernel about both axes.
template <int K, int S, bool Turned>
__global__ void __launch_bounds__(256)
    forward_tiled(DepthwiseShape s, const float* x, const float* w, float* y, bool accumulate) {
  constexpr int out_rows = tile_height(S), in_rows = (out_rows - 1) * S + K;
  constexpr int in_columns = (tile_width - 1) * S + K;
  SHARED(float, tile, [in_rows][in_columns][32]);
  const int lane = static_cast<int>(threadIdx.x), column = static_cast<int>(threadIdx.y);
  const int c = static_cast<int>(blockIdx.y) * 32 + lane;
  const bool inside = c < s.channels;
  const int across = (s.out_width + tile_width - 1) / tile_width;
  const int down = (s.out_height + out_rows - 1) / out_rows;
  const int first_q = static_cast<int>(blockIdx.x % across) * tile_width;
  const int first_p = static_cast<int>(blockIdx.x / across % down) * out_rows;
  const std::int64_t n = blockIdx.x / across / down;
  const float* image = x + n * s.height * s.width * s.channels;
  for (int i = column; i < in_rows * in_columns; i += 8) {
    const int row = i / in_columns, at = i % in_columns;
    const int h = first_p * S - s.padding + row, v = first_q * S - s.padding + at;
    const bool there = inside && h >= 0 && h < s.height && v >= 0 && v < s.width;
    tile[row][at][lane] = there ? image[(static_cast<std::int64_t>(h) * s.width + v) * s.channels + c] : 0.0f;
  }
  float taps[K * K];
  UNROLL for (int i = 0; i < K * K; ++i) {
    taps[i] = inside ? w[static_cast<std::int64_t>(c) * K * K + (Turned ? K * K - 1 - i : i)] : 0.0f;
  }
  __syncthreads();

  float sums[out_rows] = {};
  UNROLL for (int row = 0; row < in_rows; ++row) {
    UNROLL for (int t = 0; t < K; ++t) {
      const float value = tile[row][column * S + t][lane];
      UNROLL for (int p = 0; p < out_rows; ++p) {
        const int r = row - p * S;
        if (r >= 0 && r < K) sums[p] = fmaf(value, taps[r * K + t], sums[p]);
      }
    }
  }
  const int q = first_q + column;
  if (!inside || q >= s.out_width) return;
  UNROLL for (int p = 0; p < out_rows; ++p) {
    if (first_p + p < s.out_height) {
      put(y[((n * s.out_height + first_p + p) * s.out_width + q) * s.channels + c], sums[p], accumulate);
    }
  }
}

// partial (parts, taps, channels) from one part of the output rows (n, p): 32 lanes (channels) by 8
// rows. K of 0: any kernel, `first_tap` is the only tap summed.
template <int K>
__global__ void __launch_bounds__(256)
    wgrad_partials(DepthwiseShape s, const float* x, const float* dy, float* partial) {
  constexpr int held = K > 0 ? K * K : 1;  // taps a thread sums
  SHARED(float, sums, [8][32]);
  const int lane = static_cast<int>(threadIdx.x);
  const int c = static_cast<int>(blockIdx.x) * 32 + lane;
  const bool inside = c < s.channels;
  const int kernel = K > 0 ? K : s.kernel, first_tap = K > 0 ? 0 : static_cast<int>(blockIdx.z);
  const std::int64_t rows = s.images * s.out_height, part = blockIdx.y, parts = gridDim.y;
  float own[held] = {};
  const std::int64_t end = inside ? rows * (part + 1) / parts : 0;
  for (std::int64_t row = rows * part / parts + threadIdx.y; row < end; row += 8) {
    const std::int64_t n = row / s.out_height;
    const int top = static_cast<int>(row % s.out_height) * s.stride - s.padding;
    const float* image = x + n * s.height * s.width * s.channels + c;
    const float* gradients = dy + row * s.out_width * s.channels + c;
    for (int q = 0; q < s.out_width; ++q) {
      const float g = gradients[static_cast<std::int64_t>(q) * s.channels];
      const int left = q * s.stride - s.padding;
      UNROLL for (int i = 0; i < held; ++i) {
        const int h = top + (first_tap + i) / kernel, v = left + (first_tap + i) % kernel;
        if (h >= 0 && h < s.height && v >= 0 && v < s.width) {
          own[i] = fmaf(g, image[(static_cast<std::int64_t>(h) * s.width + v) * s.channels], own[i]);
        }
      }
    }
  }
  UNROLL for (int i = 0; i < held; ++i) {
    sums[threadIdx.y][lane] = own[i];
    __syncthreads();
    if (threadIdx.y == 0 && inside) {
      float total = 0;
      for (int row = 0; row < 8; ++row) total += sums[row][lane];
      partial[(part * kernel * kernel + first_tap + i) * s.channels + c] = total;
    }
    __syncthreads();
  }
}

// dw (channels, taps) from partial (parts, taps, channels), parts in ascending order.
__global__ void __launch_bounds__(threads_per_block)
    wgrad_totals(const float* partial, std::int64_t parts, float* dw, bool accumulate, std::int64_t taps,
                 std::int64_t channels) {
  for (std::int64_t i = first_index(); i < taps * channels; i += index_step()) {
    float sum = 0;
    for (std::int64_t part = 0; part < parts; ++part) sum += partial[part * taps * channels + i];
    put(dw[i % channels * taps + i / channels], sum, accumulate);
  }
}

// --- launchers ---------------------------------------------------------------------------------------

std::int64_t wgrad_parts(const DepthwiseShape& s) {
  const std::int64_t parts = (s.images * s.out_height + 31) / 32;
  return parts < 1 ? 1 : (parts < 256 ? parts : 256);
}

template <int K, int S, bool Turned>
void run_tiled(const char* name, Stream stream, const DepthwiseShape& s, const float* x, const float* w,
               float* y, bool accumulate) {
  const std::int64_t tiles =
      s.images * ceil_divide(s.out_width, tile_width) * ceil_divide(s.out_height, tile_height(S));
  launch(name, forward_tiled<K, S, Turned>, dim3(static_cast<unsigned>(tiles), ceil_divide(s.channels, 32)),
         dim3(32, tile_width), 0, stream, s, x, w, y, accumulate);
}

// Calls body.template operator()<K>() for the kernels that have code of their own, or <0>.
template <typename Body>
void dispatch_kernel(int kernel, Body&& body) {
  switch (kernel) {
    case 3:
      return body.template operator()<3>();
    case 5:
      return body.template operator()<5>();
    case 7:
      return body.template operator()<7>();
    default:
      return body.template operator()<0>();
  }
}

}  // namespace

void depthwise_forward(Stream stream, Level level, const DepthwiseShape& s, const float* x, const float* w,
                       float* y) {
  const char* name = "depthwise_forward";
  dispatch_kernel(level == Level::naive ? 0 : s.kernel, [&]<int K>() {
    if constexpr (K > 0) {
      if (s.stride == 1) return run_tiled<K, 1, false>(name, stream, s, x, w, y, false);
      if (s.stride == 2) return run_tiled<K, 2, false>(name, stream, s, x, w, y, false);
    }
    const std::int64_t n = s.images * s.out_height * s.out_width * s.channels;
    launch(name, forward_naive, blocks_for(n), threads_per_block, 0, stream, s, x, w, y, n);
  });
}

void depthwise_dgrad(Stream stream, Level level, const DepthwiseShape& s, const float* dy, const float* w,
                     float* dx, bool accumulate) {
  const char* name = "depthwise_dgrad";
  dispatch_kernel(level == Level::naive ? 0 : s.kernel, [&]<int K>() {
    if constexpr (K > 0) {
      if (s.stride == 1) {
        DepthwiseShape turned = s;
        turned.height = s.out_height;
        turned.width = s.out_width;
        turned.out_height = s.height;
        turned.out_width = s.width;
        turned.padding = s.kernel - 1 - s.padding;
        return run_tiled<K, 1, true>(name, stream, turned, dy, w, dx, accumulate);
      }
    }
    const std::int64_t n = s.images * s.height * s.width * s.channels;
    launch(name, dgrad_gather<K>, blocks_for(n), threads_per_block, 0, stream, s, dy, w, dx, accumulate, n);
  });
}

std::int64_t depthwise_wgrad_scratch(const DepthwiseShape& s) {
  return wgrad_parts(s) * s.kernel * s.kernel * s.channels;
}

void depthwise_wgrad(Stream stream, Level level, const DepthwiseShape& s, const float* x, const float* dy,
                     float* dw, bool accumulate, float* scratch) {
  const std::int64_t parts = wgrad_parts(s), taps = static_cast<std::int64_t>(s.kernel) * s.kernel;
  dispatch_kernel(level == Level::naive ? 0 : s.kernel, [&]<int K>() {
    launch("depthwise_wgrad", wgrad_partials<K>,
           dim3(ceil_divide(s.channels, 32), static_cast<unsigned>(parts),
                K > 0 ? 1u : static_cast<unsigned>(taps)),
           dim3(32, 8), 0, stream, s, x, dy, scratch);
  });
  launch("depthwise_wgrad", wgrad_totals, blocks_for(taps * s.channels), threads_per_block, 0, stream,
         scratch, parts, dw, accumulate, taps, s.channels);
}

}  // namespace adwp::ADWP_GPU::kernels
