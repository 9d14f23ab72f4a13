// Depthwise convolution. Each channel is a picture of its own; there is nothing for the matrix units, and
// at k = 3 and 5 nothing but memory to wait for.
//
// naive: one thread per output, k * k reads from memory (most from the cache).
// fast:  a block takes 32 channels of a tile of outputs of one image. Its inputs, halo included, come to
//        shared memory once; lanes are channels, so that reads and writes are 128 bytes side by side and
//        meet in no bank. A thread makes a column of outputs: every input it reads serves all the
//        outputs above and below it, k reads where k * k were.
// dgrad with stride 1 is the forward pass with the kernel turned about; with stride 2 every input gathers
// from the outputs that it went to. wgrad: a block sums 32 channels over one part of the output rows in
// registers; a second kernel adds the parts.
#include "cuda/kernels/convolution.h"
#include "cuda/kernels/math.cuh"
#include "cuda/kernels/part_sums.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

__global__ void __launch_bounds__(threads_per_block)
    forward_naive(ConvShape s, const float* x, const float* w, float* y, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const int c = i % s.channels, q = i / s.channels % s.out_width;
    const std::int64_t rest = i / s.channels / s.out_width;
    const int p = rest % s.out_height;
    const float* image = x + rest / s.out_height * s.height * s.width * s.channels;
    float sum = 0;
    for (int r = 0; r < s.kernel; ++r) {
      for (int t = 0; t < s.kernel; ++t) {
        const int h = p * s.stride + r - s.padding, v = q * s.stride + t - s.padding;
        if (h < 0 || h >= s.height || v < 0 || v >= s.width) continue;
        sum = fmaf(image[pixel(h, s.width, v, s.channels) + c], w[pixel(c, s.kernel, r, s.kernel) + t], sum);
      }
    }
    y[i] = sum;
  }
}

// Gathers what reaches an input; K of 0: any kernel.
template <int K>
__global__ void __launch_bounds__(threads_per_block)
    dgrad_gather(ConvShape s, const float* dy, const float* w, float* dx, bool accumulate, std::int64_t n) {
  const int kernel = K > 0 ? K : s.kernel;
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const int c = i % s.channels, v = i / s.channels % s.width + s.padding;
    const std::int64_t rest = i / s.channels / s.width;
    const int h = rest % s.height + s.padding;
    const float* image = dy + rest / s.height * s.out_height * s.out_width * s.channels;
    float sum = 0;
    for (int r = h % s.stride; r < kernel && r <= h; r += s.stride) {
      const int p = (h - r) / s.stride;
      if (p >= s.out_height) continue;
      for (int t = v % s.stride; t < kernel && t <= v; t += s.stride) {
        const int q = (v - t) / s.stride;
        if (q >= s.out_width) continue;
        sum = fmaf(image[pixel(p, s.out_width, q, s.channels) + c], w[pixel(c, kernel, r, kernel) + t], sum);
      }
    }
    put(dx[i], sum, accumulate);
  }
}

constexpr int tile_width = 8;
constexpr int tile_height(int stride) { return stride == 1 ? 8 : 4; }

// 32 lanes (channels) by 8 columns of outputs. `Turned`: the kernel about both axes. Inputs come V channels
// at a time. Kernels lie (channels, taps): read lane by lane, every tap would cost a sector a lane; so the
// block's kernels, which are one piece of memory, come through shared memory, where an odd number of taps
// meets in no bank.
template <int K, int S, bool Turned, int V>
__global__ void __launch_bounds__(256)
    forward_tiled(ConvShape s, const float* x, const float* w, float* y, bool accumulate) {
  constexpr int out_rows = tile_height(S), in_rows = (out_rows - 1) * S + K;
  constexpr int in_columns = (tile_width - 1) * S + K;
  SHARED(float, tile, [in_rows][in_columns][32]);
  SHARED(float, kernels, [32 * K * K]);
  const int lane = threadIdx.x, column = threadIdx.y, thread = column * 32 + lane;
  const int first_channel = blockIdx.y * 32, c = first_channel + lane;
  const bool inside = c < s.channels;
  const int across = (s.out_width + tile_width - 1) / tile_width;
  const int down = (s.out_height + out_rows - 1) / out_rows;
  const int first_q = blockIdx.x % across * tile_width;
  const int first_p = blockIdx.x / across % down * out_rows;
  const std::int64_t n = blockIdx.x / across / down;
  const float* image = x + n * s.height * s.width * s.channels;
  constexpr int lanes = 32 / V;  // for one pixel
  const int own = thread % lanes * V;
  for (int i = thread / lanes; i < in_rows * in_columns; i += 256 / lanes) {
    const int row = i / in_columns, at = i % in_columns;
    const int h = first_p * S - s.padding + row, v = first_q * S - s.padding + at;
    float values[V] = {};
    if (first_channel + own < s.channels && h >= 0 && h < s.height && v >= 0 && v < s.width) {
      load(values, image + pixel(h, s.width, v, s.channels) + first_channel + own);
    }
    store(&tile[row][at][own], values);
  }
  const int first_tap = first_channel * K * K, all_taps = s.channels * K * K;
  for (int i = thread; i < 32 * K * K; i += 256) {
    kernels[i] = first_tap + i < all_taps ? w[first_tap + i] : 0.0f;
  }
  __syncthreads();
  float taps[K * K];
  UNROLL for (int i = 0; i < K * K; ++i) taps[i] = kernels[lane * K * K + (Turned ? K * K - 1 - i : i)];

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
    wgrad_partials(ConvShape s, const float* x, const float* dy, float* partial) {
  constexpr int held = K > 0 ? K * K : 1;  // taps a thread sums
  SHARED(float, sums, [8][32]);
  const int lane = threadIdx.x;
  const int c = blockIdx.x * 32 + lane;
  const bool inside = c < s.channels;
  const int kernel = K > 0 ? K : s.kernel, first_tap = K > 0 ? 0 : blockIdx.z;
  const std::int64_t rows = s.images * s.out_height, pitch = s.channels;
  const std::int64_t part = blockIdx.y, parts = gridDim.y;
  float own[held] = {};
  const std::int64_t end = inside ? rows * (part + 1) / parts : 0;
  for (std::int64_t row = rows * part / parts + threadIdx.y; row < end; row += 8) {
    const std::int64_t n = row / s.out_height;
    const int p = row % s.out_height, top = p * s.stride - s.padding;
    const float* image = x + n * s.height * s.width * s.channels + c;
    const float* gradients = dy + row * s.out_width * s.channels + c;
    for (int q = 0; q < s.out_width; ++q) {
      const float g = gradients[q * pitch];
      const int left = q * s.stride - s.padding;
      UNROLL for (int i = 0; i < held; ++i) {
        const int h = top + (first_tap + i) / kernel, v = left + (first_tap + i) % kernel;
        if (h >= 0 && h < s.height && v >= 0 && v < s.width) {
          own[i] = fmaf(g, image[(h * s.width + v) * pitch], own[i]);
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

// dw (channels, taps) from sums (taps, channels).
struct StoreTaps {
  float* dw;
  bool accumulate;
  int taps, channels;
  __device__ void operator()(std::int64_t column, float sum) const {
    const int i = column;
    put(dw[i % channels * taps + i / channels], sum, accumulate);
  }
};

// --- launching ---------------------------------------------------------------------------------------

std::int64_t wgrad_parts(const ConvShape& s) {
  const std::int64_t parts = ceil_divide(s.images * s.out_height, 32);
  return parts < 1 ? 1 : (parts < 256 ? parts : 256);
}

template <int K, int S, bool Turned>
void run_tiled(const char* name, Stream stream, const ConvShape& s, const float* x, const float* w, float* y,
               bool accumulate) {
  const std::int64_t tiles =
      s.images * ceil_divide(s.out_width, tile_width) * ceil_divide(s.out_height, tile_height(S));
  const auto run = [&]<int V>() {
    launch(name, forward_tiled<K, S, Turned, V>, {tiles, ceil_divide(s.channels, 32)}, dim3(32, tile_width),
           0, stream, s, x, w, y, accumulate);
  };
  dispatch_width(s.channels, run, x);
}

// Calls body.template operator()<K>() for the kernels that have code of their own, or <0>.
template <typename Body>
void dispatch_kernel(KernelLevel level, int kernel, Body&& body) {
  switch (level == KernelLevel::naive ? 0 : kernel) {
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

// --- operators, of which convolution.cu hands on the depthwise ones ----------------------------------

void depthwise(Stream stream, KernelLevel level, const ConvForward& op) {
  const char* name = "depthwise_forward";
  const ConvShape s = shape_of(op);
  const float *x = floats(op.x), *w = floats(op.w);
  float* y = floats(op.y);
  dispatch_kernel(level, s.kernel, [&]<int K>() {
    if constexpr (K > 0) {
      if (s.stride == 1) return run_tiled<K, 1, false>(name, stream, s, x, w, y, false);
      if (s.stride == 2) return run_tiled<K, 2, false>(name, stream, s, x, w, y, false);
    }
    const std::int64_t n = s.outputs() * s.channels;
    launch(name, forward_naive, blocks_for(n), threads_per_block, 0, stream, s, x, w, y, n);
  });
}

void depthwise(Stream stream, KernelLevel level, const ConvDgrad& op) {
  const char* name = "depthwise_dgrad";
  const ConvShape s = shape_of(op);
  const float *dy = floats(op.dy), *w = floats(op.w);
  float* dx = floats(op.dx);
  dispatch_kernel(level, s.kernel, [&]<int K>() {
    if constexpr (K > 0) {
      if (s.stride == 1) {
        ConvShape turned = s;
        turned.height = s.out_height;
        turned.width = s.out_width;
        turned.out_height = s.height;
        turned.out_width = s.width;
        turned.padding = s.kernel - 1 - s.padding;
        return run_tiled<K, 1, true>(name, stream, turned, dy, w, dx, op.dx.adds());
      }
    }
    const std::int64_t n = s.inputs() * s.channels;
    launch(name, dgrad_gather<K>, blocks_for(n), threads_per_block, 0, stream, s, dy, w, dx, op.dx.adds(), n);
  });
}

std::int64_t depthwise_wgrad_scratch(const ConvShape& s) { return wgrad_parts(s) * s.taps() * s.channels; }

void depthwise(Stream stream, KernelLevel level, const ConvWgrad& op, float* scratch) {
  const char* name = "depthwise_wgrad";
  const ConvShape s = shape_of(op);
  const std::int64_t parts = wgrad_parts(s), taps = s.taps();
  dispatch_kernel(level, s.kernel, [&]<int K>() {
    launch(name, wgrad_partials<K>, {ceil_divide(s.channels, 32), parts, K > 0 ? 1 : taps}, dim3(32, 8), 0,
           stream, s, floats(op.x), floats(op.dy), scratch);
  });
  run_add_parts(name, stream, StoreTaps{floats(op.dw), op.dw.adds(), s.taps(), s.channels}, scratch, parts,
                taps * s.channels);
}

}  // namespace adwp::ADWP_GPU
