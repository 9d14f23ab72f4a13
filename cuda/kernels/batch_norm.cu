// Batch norm: one pass over x for the statistics, unless the convolution that made x has left moments of its
// tiles, and one to normalise and activate; backward likewise, one pass for the two sums per channel and
// one for dx.
//
// All of it should be bound by memory. Backward computes normalised values and the activation's derivative
// from x again rather than read them from memory. What is left of arithmetic is kept small: a thread has the
// same channels all the way, and what it wants of them in registers; it moves 16 bytes at a time and counts
// in 32 bits (docs/results/cuda_counts.md).
#include "cuda/kernels/column_reduce.cuh"
#include "cuda/kernels/input_norm.cuh"
#include "cuda/kernels/norm_sums.cuh"
#include "cuda/kernels/tile_moments.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

// Sums of the difference from the first row and of its square: no cancellation when the mean is large.
template <int V, typename T>
struct Moments {
  const T* x;

  struct Pivot {
    float of[V];
  };
  __device__ Pivot begin(std::int64_t channel) const {
    Pivot pivot;
    load(pivot.of, x + channel);
    return pivot;
  }
  __device__ void add(const Pivot& pivot, std::int64_t at, float (&first)[V], float (&second)[V]) const {
    float value[V];
    load(value, x + at);
    UNROLL for (int v = 0; v < V; ++v) {
      const float difference = value[v] - pivot.of[v];
      first[v] += difference;
      second[v] = fmaf(difference, difference, second[v]);
    }
  }
};

template <typename T>
struct StoreMoments {
  const T* x;
  float *mean, *var;
  double rows;
  __device__ void operator()(std::int64_t channel, double first, double second) const {
    store_moments(value_of(x[channel]), first, second, rows, mean + channel, var + channel);
  }
};

// Of V channels, what backward wants to know.
template <int V>
struct NormalisedChannels {
  float mean[V], inverse[V], scale[V], shift[V];

  __device__ NormalisedChannels() {}
  __device__ NormalisedChannels(const Normalised& norm, std::int64_t channel) {
    load(mean, norm.mean + channel);
    load(inverse, norm.var + channel);
    load(scale, norm.scale + channel);
    load(shift, norm.shift + channel);
    UNROLL for (int v = 0; v < V; ++v) inverse[v] = 1.0f / sqrtf(inverse[v] + norm.epsilon);
  }
  __device__ float unit(float x, int v) const { return (x - mean[v]) * inverse[v]; }
};

// A thread has the same V channels in every step of the grid (blocks_in_step).
template <int V>
__device__ __forceinline__ int own_channel(int channels) {
  return static_cast<int>(first_index()) % (channels / V) * V;
}

template <Activation act, int V, typename T>
__global__ void __launch_bounds__(threads_per_block)
    normalise(Normalised norm, const T* x, const T* addend, T* y, int channels, int count) {
  const NormLine<V> own(norm, own_channel<V>(channels));
  const int step = index_step();
  for (int i = first_index(); i < count; i += step) {
    float value[V];
    load(value, x + std::int64_t{i} * V);
    own.apply(act, value);
    if (addend != nullptr) {
      float other[V];
      load(other, addend + std::int64_t{i} * V);
      UNROLL for (int v = 0; v < V; ++v) value[v] += other[v];
    }
    store(y + std::int64_t{i} * V, value);
  }
}

// The gradient by the normalised value, before scale: dy act'(..), and its product with that value.
template <Activation act, int V, typename T>
struct Gradients {
  Normalised norm;
  const T *dy, *x;

  __device__ NormalisedChannels<V> begin(std::int64_t channel) const { return {norm, channel}; }
  __device__ void add(const NormalisedChannels<V>& own, std::int64_t at, float (&first)[V],
                      float (&second)[V]) const {
    float value[V], gradient[V];
    load(value, x + at);
    load(gradient, dy + at);
    UNROLL for (int v = 0; v < V; ++v) {
      const float unit = own.unit(value[v], v);
      const float g = gradient[v] * derivative<act>(fmaf(unit, own.scale[v], own.shift[v]));
      first[v] += g;
      second[v] = fmaf(g, unit, second[v]);
    }
  }
};

struct StoreGradients {
  float *dscale, *dshift;
  bool add_dscale, add_dshift;
  float* totals;  // (2, channels)
  std::int64_t channels;
  __device__ void operator()(std::int64_t channel, double first, double second) const {
    totals[channel] = first;
    totals[channels + channel] = second;
    put(dshift[channel], first, add_dshift);
    put(dscale[channel], second, add_dscale);
  }
};

struct StoreSums {
  float* sums;  // (2, channels)
  std::int64_t channels;
  __device__ void operator()(std::int64_t channel, double first, double second) const {
    sums[channel] = first;
    sums[channels + channel] = second;
  }
};

// Of V channels, what takes the gradient to that of x: factor (g - first - unit second), g as above, the sums
// over the rows as means. share: 1 / rows of the whole.
template <Activation act, int V, typename T>
struct InputGradient {
  NormalisedChannels<V> own;
  float factor[V], first[V], second[V];

  __device__ InputGradient(const Normalised& norm, const float* totals, float share, int channels,
                           int channel)
      : own(norm, channel) {
    load(first, totals + channel);
    load(second, totals + channels + channel);
    UNROLL for (int v = 0; v < V; ++v) {
      factor[v] = own.scale[v] * own.inverse[v];
      first[v] *= share;
      second[v] *= share;
    }
  }
  __device__ float of(float gradient, float x, int v) const {
    const float unit = own.unit(x, v);
    const float g = gradient * derivative<act>(fmaf(unit, own.scale[v], own.shift[v]));
    return factor[v] * (g - fmaf(unit, second[v], first[v]));
  }
};
// Of bf16, which has no digits to lose (TileNorm): g factor + x slope + rest, in half the registers.
template <Activation act, int V>
struct InputGradient<act, V, Bf16> {
  float factor[V], shift[V], slope[V], rest[V];

  __device__ InputGradient(const Normalised& norm, const float* totals, float share, int channels,
                           int channel) {
    const InputGradient<act, V, float> exact(norm, totals, share, channels, channel);
    UNROLL for (int v = 0; v < V; ++v) {
      factor[v] = exact.factor[v];
      shift[v] = exact.own.shift[v] - exact.own.mean[v] * factor[v];
      slope[v] = -factor[v] * exact.second[v] * exact.own.inverse[v];
      rest[v] = -factor[v] * exact.first[v] - slope[v] * exact.own.mean[v];
    }
  }
  __device__ float of(float gradient, float x, int v) const {
    const float g = gradient * derivative<act>(fmaf(x, factor[v], shift[v]));
    return fmaf(g, factor[v], fmaf(x, slope[v], rest[v]));
  }
};

// `late`: totals (2, channels), and where they have yet to go; or null.
template <Activation act, int V, typename T>
__global__ void __launch_bounds__(threads_per_block)
    input_gradient(Normalised norm, const T* dy, const T* x, StoreGradients late, const float* totals, T* dx,
                   bool accumulate, float share, int channels, int count) {
  const int channel = own_channel<V>(channels), step = index_step();
  const InputGradient<act, V, T> own(norm, totals, share, channels, channel);
  if (late.dscale != nullptr && first_index() < channels / V) {
    UNROLL for (int c = channel; c < channel + V; ++c) {
      put(late.dshift[c], totals[c], late.add_dshift);
      put(late.dscale[c], totals[channels + c], late.add_dscale);
    }
  }
  for (int i = first_index(); i < count; i += step) {
    float value[V], gradient[V];
    load(value, x + std::int64_t{i} * V);
    load(gradient, dy + std::int64_t{i} * V);
    UNROLL for (int v = 0; v < V; ++v) value[v] = own.of(gradient[v], value[v], v);
    put(dx + std::int64_t{i} * V, value, accumulate);
  }
}

// --- launching ---------------------------------------------------------------------------------------

// Where all that is read and written of a norm allows it, 16 bytes of values at a time.
template <typename T = float, typename Body, typename... Pointers>
void dispatch_norm_width(const Normalised& norm, std::int64_t channels, Body&& body, Pointers... others) {
  dispatch_width<T>(channels, body, norm.mean, norm.var, norm.scale, norm.shift, others...);
}

template <typename T, typename Op>
void run_normalise(Stream stream, const Op& op, const Tensor& other = {}) {
  const Normalised norm = normalised(op);
  const T *x = op.x.template data<T>(), *addend = other.defined() ? other.data<T>() : nullptr;
  T* y = op.y.template data<T>();
  const std::int64_t channels = op.x.shape().back();
  const auto run = [&]<int V>() {
    dispatch(op.act, [&]<Activation act>() {
      in_pieces(op.x.shape().rows(), channels, [&](std::int64_t at, std::int64_t rows) {
        const std::int64_t count = rows * channels / V;
        launch("batch_norm_normalise", normalise<act, V, T>, blocks_in_step(count, channels / V),
               threads_per_block, 0, stream, norm, x + at, addend != nullptr ? addend + at : nullptr, y + at,
               channels, count);
      });
    });
  };
  dispatch_norm_width<T>(norm, channels, run, x, addend, y);
}

}  // namespace

void normalise_known(Stream stream, const BatchNormForward& op) {
  if (!op.y.defined()) return;
  dispatch_stored(op.y, [&]<typename T>() { run_normalise<T>(stream, op); });
}

void add_norm_sums(Stream stream, const NormSums& sums, const float* parts, std::int64_t count) {
  const std::int64_t channels = sums.x.shape().back();
  launch("batch_norm_sums", column_totals<1024, StoreSums>, ceil_divide(channels, 8), 1024, 0, stream,
         StoreSums{floats(sums.sums), channels}, parts, count, channels);
}
void reduce_norm_sums(Stream stream, const NormSums& sums, const Tensor& gradient, float* scratch) {
  const std::int64_t rows = sums.x.shape().rows(), channels = sums.x.shape().back();
  const Normalised norm = normalised(sums.norm);
  const Bf16 *dy = gradient.data<Bf16>(), *x = sums.x.data<Bf16>();
  const auto run = [&]<int V>() {
    dispatch(sums.norm.act, [&]<Activation act>() {
      column_reduce<V>("batch_norm_sums", stream, Gradients<act, V, Bf16>{norm, dy, x},
                       StoreSums{floats(sums.sums), channels}, scratch, rows, channels);
    });
  };
  dispatch_norm_width<Bf16>(norm, channels, run, dy, x);
}

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const BatchNormForward& op, void* workspace) {
  const std::int64_t rows = op.x.shape().rows(), channels = op.x.shape().back();
  const double count = rows;
  dispatch_stored(op.x, [&]<typename T>() {
    const T* x = op.x.data<T>();
    const StoreMoments<T> finish{x, floats(op.mean), floats(op.var), count};
    const auto run = [&]<int V>() {
      column_reduce<V>("batch_norm_statistics", stream(), Moments<V, T>{x}, finish, scratch(workspace), rows,
                       channels);
    };
    dispatch_width<T>(channels, run, x);
    run_normalise<T>(stream(), op);
  });
}

void GpuBackend::compute(const BatchNormInference& op, void*) {
  dispatch_stored(op.x, [&]<typename T>() { run_normalise<T>(stream(), op, op.addend); });
}

void GpuBackend::compute(const BatchNormBackward& op, void* workspace) {
  const std::int64_t rows = op.x.shape().rows(), channels = op.x.shape().back();
  const Normalised norm = normalised(op);
  const bool given = op.sums.defined();
  float* totals = given ? floats(op.sums) : scratch(workspace) + reduction_parts(rows) * 2 * channels;
  const StoreGradients store{floats(op.dscale), floats(op.dshift), op.dscale.adds(), op.dshift.adds(), totals,
                             channels};
  dispatch_stored(op.x, [&]<typename T>() {
    const T *dy = op.dy.data<T>(), *x = op.x.data<T>();
    T* dx = op.dx.tensor.data<T>();
    const auto run = [&]<int V>() {
      dispatch(op.act, [&]<Activation act>() {
        if (!given) {
          column_reduce<V>("batch_norm_gradients", stream(), Gradients<act, V, T>{norm, dy, x}, store,
                           scratch(workspace), rows, channels);
        }
        in_pieces(rows, channels, [&](std::int64_t at, std::int64_t in_piece) {
          const std::int64_t count = in_piece * channels / V;
          launch("batch_norm_input_gradient", input_gradient<act, V, T>, blocks_in_step(count, channels / V),
                 threads_per_block, 0, stream(), norm, dy + at, x + at,
                 given && at == 0 ? store : StoreGradients{}, totals, dx + at, op.dx.adds(), 1.0f / rows,
                 channels, count);
        });
      });
    };
    dispatch_norm_width<T>(norm, channels, run, dy, x, dx, totals);
  });
}

}  // namespace adwp::ADWP_GPU
