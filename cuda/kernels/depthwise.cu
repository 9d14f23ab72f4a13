// Depthwise convolution. Each channel is a picture of its own; there is nothing for the matrix units, and
// at k = 3 and 5 nothing but memory to wait for.
//
// naive: one thread per output, k * k reads from memory (most from the cache).
// fast:  tiles of an image in shared memory, outputs in registers (depthwise_tile.cuh).
// dgrad with stride 1 is the forward pass with the kernel turned about; with stride 2 every input gathers
// from the outputs that it went to, four channels at a time. wgrad: a block sums 32 channels over one part of
// the output rows in registers; a second kernel adds the parts.
#include "cuda/kernels/convolution.h"
#include "cuda/kernels/depthwise_tile.cuh"
#include "cuda/kernels/math.cuh"
#include "cuda/kernels/part_sums.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

template <typename X, typename Y>
__global__ void __launch_bounds__(threads_per_block)
    forward_naive(ConvShape s, const X* x, const float* w, Y* y, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const int c = i % s.channels, q = i / s.channels % s.out_width;
    const std::int64_t rest = i / s.channels / s.out_width;
    const int p = rest % s.out_height;
    const X* image = x + rest / s.out_height * s.height * s.width * s.channels;
    float sum = 0;
    for (int r = 0; r < s.kernel; ++r) {
      for (int t = 0; t < s.kernel; ++t) {
        const int h = p * s.stride + r - s.padding, v = q * s.stride + t - s.padding;
        if (h < 0 || h >= s.height || v < 0 || v >= s.width) continue;
        const float value = value_of(image[pixel(h, s.width, v, s.channels) + c]);
        sum = fmaf(value, w[pixel(c, s.kernel, r, s.kernel) + t], sum);
      }
    }
    y[i] = as_stored<Y>(sum);
  }
}

// Gathers what reaches V channels of an input; K and S of 0: any kernel, any stride.
template <int K, int S, int V, typename T>
__global__ void __launch_bounds__(threads_per_block)
    dgrad_gather(ConvShape s, const T* dy, const float* w, T* dx, bool accumulate, int count) {
  const int kernel = K > 0 ? K : s.kernel, stride = S > 0 ? S : s.stride, width = s.channels / V;
  const int step = index_step();
  for (int i = first_index(); i < count; i += step) {
    const int c = i % width * V, at = i / width, row = at / s.width;
    const int v = at % s.width + s.padding, h = row % s.height + s.padding;
    const std::int64_t n = row / s.height;
    const T* image = dy + n * s.out_height * s.out_width * s.channels + c;
    float sums[V] = {};
    for (int r = h % stride; r < kernel && r <= h; r += stride) {
      const int p = (h - r) / stride;
      if (p >= s.out_height) continue;
      for (int t = v % stride; t < kernel && t <= v; t += stride) {
        const int q = (v - t) / stride;
        if (q >= s.out_width) continue;
        float values[V];
        load(values, image + pixel(p, s.out_width, q, s.channels));
        const float* tap = w + pixel(c, kernel, r, kernel) + t;
        UNROLL for (int j = 0; j < V; ++j) sums[j] = fmaf(values[j], tap[j * kernel * kernel], sums[j]);
      }
    }
    put(dx + std::int64_t{i} * V, sums, accumulate);
  }
}

// Adds the products of a row of gradients and `Count` rows of x to the sums of as many rows of taps, from
// First on: of windows whose first row is `top`. The inputs that the taps see stand in registers; from output
// to output they move by S, so that of a row S are read where K would be. `image` and `gradients` are those
// of the thread's channel.
template <int K, int S, int First, int Count, typename T, typename Norm>
__device__ __forceinline__ void wgrad_rows(const ConvShape& s, const T* gradients, const T* image, int top,
                                           const Norm& norm, float (&own)[K][K]) {
  const T* lines[Count];
  bool there[Count];
  UNROLL for (int r = 0; r < Count; ++r) {
    const int h = top + First + r;
    there[r] = h >= 0 && h < s.height;
    lines[r] = image + pixel(there[r] ? h : 0, s.width, 0, s.channels);
  }
  const auto column = [&](int v, float(&inputs)[Count]) {
    const bool within = v >= 0 && v < s.width;
    UNROLL for (int r = 0; r < Count; ++r) {
      inputs[r] = within && there[r] ? value_of(lines[r][std::int64_t{v} * s.channels]) : 0.0f;
    }
    norm(inputs);
    UNROLL for (int r = 0; r < Count; ++r) inputs[r] = within && there[r] ? inputs[r] : 0.0f;
  };
  float window[K][Count] = {};
  UNROLL for (int t = S; t < K; ++t) column(t - S - s.padding, window[t]);
  UNROLL_BY(K == 3 ? 2 : 1) for (int q = 0; q < s.out_width; ++q, gradients += s.channels) {
    const float gradient = value_of(*gradients);
    float fresh[S][Count];
    UNROLL for (int t = 0; t < S; ++t) column(q * S - s.padding + K - S + t, fresh[t]);
    UNROLL for (int t = 0; t < K; ++t) {
      UNROLL for (int r = 0; r < Count; ++r) {
        window[t][r] = t + S < K ? window[t + S < K ? t + S : 0][r] : fresh[t + S < K ? 0 : t + S - K][r];
        own[First + r][t] = fmaf(gradient, window[t][r], own[First + r][t]);
      }
    }
  }
}

// partial (parts, taps, channels) from one part of the output rows (n, p): 32 lanes (channels) by 8 rows.
// `Normed`: x goes through its norm first.
template <int K, int S, bool Normed, typename T>
__global__ void __launch_bounds__(256, 2)  // told nothing of blocks an SM, ptxas for sm_80 spills at K = 5
    wgrad_partials(ConvShape s, const T* x, InputNorm input, const T* dy, float* partial) {
  const int lane = threadIdx.x, c = blockIdx.x * 32 + lane;
  const bool inside = c < s.channels;
  const std::int64_t rows = s.images * s.out_height, part = blockIdx.y, parts = gridDim.y;
  float own[K][K] = {};
  NormLine<1> line;
  if (Normed && inside) line = NormLine<1>(input.norm, c);
  const auto norm = [&]<int N>(float(&values)[N]) {
    if constexpr (Normed) line.apply(input.act, values);
  };
  const std::int64_t end = inside ? rows * (part + 1) / parts : 0;
  for (std::int64_t row = rows * part / parts + threadIdx.y; row < end; row += 8) {
    const std::int64_t n = row / s.out_height;
    const int p = row % s.out_height, top = p * S - s.padding;
    const T* image = x + n * s.height * s.width * s.channels + c;
    const T* gradients = dy + row * s.out_width * s.channels + c;
    constexpr int at_once = K <= 5 ? K : 3;  // all 7 would take more registers than two blocks have
    wgrad_rows<K, S, 0, at_once>(s, gradients, image, top, norm, own);
    if constexpr (at_once < K) {
      wgrad_rows<K, S, at_once, at_once>(s, gradients, image, top, norm, own);
      wgrad_rows<K, S, 2 * at_once, K - 2 * at_once>(s, gradients, image, top, norm, own);
    }
  }
  leave_partials(own, lane, threadIdx.y, inside, partial + part * K * K * s.channels + c, s.channels);
}

// The same for any kernel and stride, the first step of the ladder: one tap, blockIdx.z, at a time.
template <typename T>
__global__ void __launch_bounds__(256) wgrad_naive(ConvShape s, const T* x, const T* dy, float* partial) {
  SHARED(float, sums, [8][32]);
  const int lane = threadIdx.x, c = blockIdx.x * 32 + lane;
  const bool inside = c < s.channels;
  const int r = blockIdx.z / s.kernel, t = blockIdx.z % s.kernel;
  const std::int64_t rows = s.images * s.out_height, part = blockIdx.y, parts = gridDim.y;
  float own = 0;
  const std::int64_t end = inside ? rows * (part + 1) / parts : 0;
  for (std::int64_t row = rows * part / parts + threadIdx.y; row < end; row += 8) {
    const std::int64_t n = row / s.out_height;
    const int p = row % s.out_height, h = p * s.stride - s.padding + r;
    if (h < 0 || h >= s.height) continue;
    const T* line = x + (n * s.height + h) * s.width * s.channels + c;
    const T* gradients = dy + row * s.out_width * s.channels + c;
    for (int q = 0; q < s.out_width; ++q) {
      const int v = q * s.stride - s.padding + t;
      if (v >= 0 && v < s.width)
        own = fmaf(value_of(gradients[q * s.channels]), value_of(line[v * s.channels]), own);
    }
  }
  sums[threadIdx.y][lane] = own;
  __syncthreads();
  if (threadIdx.y > 0 || !inside) return;
  float total = 0;
  for (int row = 0; row < 8; ++row) total += sums[row][lane];
  partial[(part * s.kernel * s.kernel + blockIdx.z) * s.channels + c] = total;
}

// --- launching ---------------------------------------------------------------------------------------

template <int K, int S, bool Turned, typename T>
void run_tiled(const char* name, Stream stream, const ConvShape& s, const T* x, const float* w, T* y,
               bool accumulate, const TileMoments& moments = {}, const InputNorm& input = {}) {
  const auto run = [&]<bool Small, int V>() {
    using Cut = DepthwiseCut<K, S, Small>;
    const Grid grid{s.images * ceil_divide(s.channels, 32), ceil_divide(s.out_height, Cut::height),
                    ceil_divide(s.out_width, Cut::width)};
    const auto go = [&](auto* kernel) {
      launch(name, kernel, grid, Cut::threads, 0, stream, s, x, w, y, accumulate, moments, input);
    };
    if constexpr (!Turned) {
      if (input.defined()) return go(depthwise_tile<K, S, Small, false, V, true, T>);
    }
    go(depthwise_tile<K, S, Small, Turned, V, false, T>);
  };
  const auto sized = [&]<int V>() {
    if constexpr (S > 1) {
      run.template operator()<false, V>();
    } else {
      dispatch_small(K, s, [&]<bool Small>() { run.template operator()<Small, V>(); });
    }
  };
  const Normalised& norm = input.norm;
  if constexpr (std::is_same_v<T, Bf16>) {
    sized.template operator()<vector_width<Bf16>>();  // depthwise_has_code()
  } else {
    dispatch_width(s.channels, sized, x, y, norm.mean, norm.var, norm.scale, norm.shift);
  }
}

template <int K, int S, typename T>
void run_gather(const char* name, Stream stream, const ConvShape& s, const T* dy, const float* w, T* dx,
                bool accumulate) {
  const std::int64_t input = std::int64_t{s.height} * s.width * s.channels;
  const std::int64_t output = std::int64_t{s.out_height} * s.out_width * s.channels;
  const auto run = [&]<int V>() {
    in_pieces(s.images, input, [&](std::int64_t at, std::int64_t images) {
      const std::int64_t count = images * input / V;
      launch(name, dgrad_gather<K, S, V, T>, blocks_for(count), threads_per_block, 0, stream, s,
             dy + at / input * output, w, dx + at, accumulate, count);
    });
  };
  dispatch_width<T>(s.channels, run, dy, dx);
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

Tiles depthwise_tiles(const ConvShape& s) {
  const auto tiles = [&]<int K, int S, bool Small>() -> Tiles {
    using Cut = DepthwiseCut<K, S, Small>;
    return {s.images, s.out_height, s.out_width, Cut::height, Cut::width};
  };
  const auto of_kernel = [&]<int K>() {
    if (s.stride > 1) return tiles.template operator()<K, 2, false>();
    return dispatch_small(K, s, [&]<bool Small>() { return tiles.template operator()<K, 1, Small>(); });
  };
  return s.kernel == 3   ? of_kernel.template operator()<3>()
         : s.kernel == 5 ? of_kernel.template operator()<5>()
                         : of_kernel.template operator()<7>();
}
// Where an image has more elements than 32 bits count, not.
bool depthwise_has_code(KernelLevel level, const ConvShape& s) {
  const bool has_code = s.kernel == 3 || s.kernel == 5 || s.kernel == 7;
  return level == KernelLevel::fast && has_code && s.stride <= 2 &&
         std::int64_t{s.height} * s.width * s.channels < (std::int64_t{1} << 30);
}

namespace {

bool aligned(const Tensor& tensor) {
  return !tensor.defined() || reinterpret_cast<std::uintptr_t>(tensor.address()) % 16 == 0;
}

}  // namespace

// In bf16 only whole accesses, and only from bf16.
bool depthwise_has_code(KernelLevel level, const ConvShape& s, const ConvForward& op) {
  if (!depthwise_has_code(level, s) || op.y.dtype() == DType::f32) return depthwise_has_code(level, s);
  const PendingNorm& norm = op.pending;
  return op.x.dtype() == DType::bf16 && s.channels % vector_width<Bf16> == 0 && aligned(op.x) &&
         aligned(op.y) && aligned(norm.mean) && aligned(norm.var) && aligned(norm.scale) &&
         aligned(norm.shift);
}

void depthwise(Stream stream, KernelLevel level, const ConvForward& op, const TileMoments& moments) {
  const char* name = "depthwise_forward";
  const ConvShape s = shape_of(op);
  const float* w = floats(op.w);
  const InputNorm input = input_norm(op.pending);
  dispatch_values(op, [&]<typename X, typename Y>() {
    const X* x = op.x.data<X>();
    Y* y = op.y.data<Y>();
    if constexpr (std::is_same_v<X, Y>) {
      if (depthwise_has_code(level, s, op)) {
        return dispatch_kernel(level, s.kernel, [&]<int K>() {
          if constexpr (K > 0) {
            if (s.stride == 1) return run_tiled<K, 1, false>(name, stream, s, x, w, y, false, moments, input);
            run_tiled<K, 2, false>(name, stream, s, x, w, y, false, moments, input);
          }
        });
      }
    }
    const std::int64_t n = s.outputs() * s.channels;
    launch(name, forward_naive<X, Y>, blocks_for(n), threads_per_block, 0, stream, s, x, w, y, n);
  });
}

void depthwise(Stream stream, KernelLevel level, const ConvDgrad& op) {
  const char* name = "depthwise_dgrad";
  const ConvShape s = shape_of(op);
  const float* w = floats(op.w);
  dispatch_stored(op.dy, [&]<typename T>() {
    const T* dy = op.dy.data<T>();
    T* dx = op.dx.tensor.data<T>();
    const bool whole = sizeof(T) == sizeof(float) || (s.channels % vector_width<T> == 0 && aligned(op.dy));
    dispatch_kernel(level, s.kernel, [&]<int K>() {
      if constexpr (K > 0) {
        if (s.stride == 1 && whole) {
          ConvShape turned = s;
          turned.height = s.out_height;
          turned.width = s.out_width;
          turned.out_height = s.height;
          turned.out_width = s.width;
          turned.padding = s.kernel - 1 - s.padding;
          return run_tiled<K, 1, true>(name, stream, turned, dy, w, dx, op.dx.adds());
        }
      }
      if (s.stride == 2) return run_gather<K, 2>(name, stream, s, dy, w, dx, op.dx.adds());
      run_gather<K, 0>(name, stream, s, dy, w, dx, op.dx.adds());
    });
  });
}

std::int64_t depthwise_wgrad_scratch(const ConvShape& s) {
  return wgrad_parts(s.images * s.out_height) * s.taps() * s.channels;
}

void depthwise(Stream stream, KernelLevel level, const ConvWgrad& op, float* scratch) {
  const char* name = "depthwise_wgrad";
  const ConvShape s = shape_of(op);
  const std::int64_t parts = wgrad_parts(s.images * s.out_height), taps = s.taps();
  const InputNorm input = input_norm(op.pending);
  dispatch_stored(op.x, [&]<typename T>() {
    const T *x = op.x.data<T>(), *dy = op.dy.data<T>();
    const auto run = [&](auto* kernel) {
      launch(name, kernel, {ceil_divide(s.channels, 32), parts}, dim3(32, 8), 0, stream, s, x, input, dy,
             scratch);
    };
    dispatch_kernel(level, s.kernel, [&]<int K>() {
      if constexpr (K > 0) {
        if (s.stride == 1)
          return run(input.defined() ? wgrad_partials<K, 1, true, T> : wgrad_partials<K, 1, false, T>);
        if (s.stride == 2)
          return run(input.defined() ? wgrad_partials<K, 2, true, T> : wgrad_partials<K, 2, false, T>);
      }
      launch(name, wgrad_naive<T>, {ceil_divide(s.channels, 32), parts, taps}, dim3(32, 8), 0, stream, s, x,
             dy, scratch);
    });
  });
  run_add_parts(name, stream, StoreTaps{floats(op.dw), op.dw.adds(), s.taps(), s.channels}, scratch, parts,
                taps * s.channels);
}

}  // namespace adwp::ADWP_GPU
