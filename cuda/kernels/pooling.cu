// Global pooling, and the scale of channels that squeeze-and-excitation makes of it. All sums go over the
// pixels in an order that the shape fixes.
#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

// Of the kernels that sum over pixels, a block takes an image (along x, for there may be more than the 65,535
// that y has room for) and 32 channels by 8 rows of pixels.
__device__ __forceinline__ std::int64_t own_channel() { return block_index_y() * 32 + threadIdx.x; }

template <typename T>
__global__ void __launch_bounds__(256)
    global_mean(const T* x, float* y, std::int64_t pixels, std::int64_t channels) {
  SHARED(float, sums, [8][32]);
  const std::int64_t channel = own_channel();
  const T* image = x + block_index() * pixels * channels;
  float sum = 0;
  if (channel < channels) {
    for (std::int64_t p = threadIdx.y; p < pixels; p += 8) sum += value_of(image[p * channels + channel]);
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) {
    float total = 0;
    for (int row = 0; row < 8; ++row) total += sums[row][threadIdx.x];
    y[block_index() * channels + channel] = total / pixels;
  }
}

// Of the kernels below, a thread takes V channels of a pixel; image: of so many such, width: of a pixel.
template <int V, typename T>
__global__ void __launch_bounds__(threads_per_block)
    spread(const float* dy, T* dx, bool accumulate, float share, int image, int width, int count) {
  const int step = index_step();
  for (int i = first_index(); i < count; i += step) {
    float values[V];
    load(values, dy + (i / image * width + i % width) * V);
    UNROLL for (int v = 0; v < V; ++v) values[v] *= share;
    put(dx + i * V, values, accumulate);
  }
}

template <int V, typename T>
__global__ void __launch_bounds__(threads_per_block)
    scale_channels(const T* x, const float* s, T* y, bool accumulate, int image, int width, int count) {
  const int step = index_step();
  for (int i = first_index(); i < count; i += step) {
    float values[V], factors[V];
    load(values, x + i * V);
    load(factors, s + (i / image * width + i % width) * V);
    UNROLL for (int v = 0; v < V; ++v) values[v] *= factors[v];
    put(y + i * V, values, accumulate);
  }
}

// ds[n, c] = sum over pixels of dy x: the sums of 8 rows of pixels in ascending order.
template <typename T>
__global__ void __launch_bounds__(256) scale_gradient(const T* dy, const T* x, float* ds, bool accumulate,
                                                      std::int64_t pixels, std::int64_t channels) {
  SHARED(float, sums, [8][32]);
  const std::int64_t channel = own_channel(), image = block_index() * pixels * channels;
  float sum = 0;
  if (channel < channels) {
    for (std::int64_t p = threadIdx.y; p < pixels; p += 8) {
      const std::int64_t i = image + p * channels + channel;
      sum += value_of(dy[i]) * value_of(x[i]);
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) {
    float total = 0;
    for (int row = 0; row < 8; ++row) total += sums[row][threadIdx.x];
    put(ds[block_index() * channels + channel], total, accumulate);
  }
}

// Images of (N, H, W, C).
struct Images {
  std::int64_t count, pixels, channels;

  explicit Images(const Shape& s) : count(s[0]), pixels(s[1] * s[2]), channels(s[3]) {}
  std::int64_t size() const { return pixels * channels; }  // of one
  // Of the kernels that sum over pixels.
  Grid grid() const { return {count, ceil_divide(channels, 32)}; }
};

template <typename T>
void run_scale(const char* name, Stream stream, const Images& shape, const T* x, const float* s, T* y,
               bool accumulate) {
  const auto run = [&]<int V>() {
    in_pieces(shape.count, shape.size(), [&](std::int64_t at, std::int64_t images) {
      const std::int64_t count = images * shape.size() / V;
      launch(name, scale_channels<V, T>, blocks_for(count), threads_per_block, 0, stream, x + at,
             s + at / shape.pixels, y + at, accumulate, shape.size() / V, shape.channels / V, count);
    });
  };
  dispatch_width<T>(shape.channels, run, x, s, y);
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const GlobalPoolForward& op, void*) {
  const Images x(op.x.shape());
  dispatch_stored(op.x, [&]<typename T>() {
    launch(op.name, global_mean<T>, x.grid(), dim3(32, 8), 0, stream(), op.x.data<T>(), floats(op.y),
           x.pixels, x.channels);
  });
}

void GpuBackend::compute(const GlobalPoolBackward& op, void*) {
  const Images shape(op.dx.tensor.shape());
  const float* dy = floats(op.dy);
  dispatch_stored(op.dx.tensor, [&]<typename T>() {
    T* dx = op.dx.tensor.data<T>();
    const auto run = [&]<int V>() {
      in_pieces(shape.count, shape.size(), [&](std::int64_t at, std::int64_t images) {
        const std::int64_t count = images * shape.size() / V;
        launch(op.name, spread<V, T>, blocks_for(count), threads_per_block, 0, stream(),
               dy + at / shape.pixels, dx + at, op.dx.adds(), 1.0f / shape.pixels, shape.size() / V,
               shape.channels / V, count);
      });
    };
    dispatch_width<T>(shape.channels, run, dy, dx);
  });
}

void GpuBackend::compute(const ChannelScaleForward& op, void*) {
  dispatch_stored(op.x, [&]<typename T>() {
    run_scale<T>(op.name, stream(), Images(op.x.shape()), op.x.data<T>(), floats(op.s), op.y.data<T>(),
                 false);
  });
}

void GpuBackend::compute(const ChannelScaleBackward& op, void*) {
  const Images x(op.x.shape());
  dispatch_stored(op.x, [&]<typename T>() {
    run_scale<T>(op.name, stream(), x, op.dy.data<T>(), floats(op.s), op.dx.tensor.data<T>(), op.dx.adds());
    launch("channel_scale_gradient", scale_gradient<T>, x.grid(), dim3(32, 8), 0, stream(), op.dy.data<T>(),
           op.x.data<T>(), floats(op.ds), op.ds.adds(), x.pixels, x.channels);
  });
}

}  // namespace adwp::ADWP_GPU
