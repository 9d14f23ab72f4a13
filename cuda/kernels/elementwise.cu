// Elementwise kernels. All are bound by memory: one read of each input, one write of the output.
// Where operands are aligned, a thread moves 16 bytes at a time, which is what saturates the memory
// system with few threads.
#include "cuda/kernels/elementwise.h"

#include "cuda/kernels/math.cuh"

namespace adwp::ADWP_GPU::kernels {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

// y[i] = or += f(a[i], b[i]), four at a time for the first `quads`; b may be null.
template <typename F>
__global__ void __launch_bounds__(threads_per_block, 1)
    map(F f, const float* a, const float* b, float* y, bool accumulate, std::int64_t quads, std::int64_t n) {
  for (std::int64_t i = first_index(); i < quads; i += index_step()) {
    const float4 u = reinterpret_cast<const float4*>(a)[i];
    const float4 v = b != nullptr ? reinterpret_cast<const float4*>(b)[i] : make_float4(0, 0, 0, 0);
    float4* target = reinterpret_cast<float4*>(y) + i;
    float4 w = accumulate ? *target : make_float4(0, 0, 0, 0);
    w.x += f(u.x, v.x);
    w.y += f(u.y, v.y);
    w.z += f(u.z, v.z);
    w.w += f(u.w, v.w);
    *target = w;
  }
  for (std::int64_t i = quads * 4 + first_index(); i < n; i += index_step()) {
    put(y[i], f(a[i], b != nullptr ? b[i] : 0.0f), accumulate);
  }
}

template <Activation act>
struct Activate {
  __device__ float operator()(float x, float) const { return activate<act>(x); }
};
template <Activation act>
struct Derive {
  __device__ float operator()(float x, float dy) const { return dy * derivative<act>(x); }
};
struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Same {
  __device__ float operator()(float a, float) const { return a; }
};
struct Towards {  // what moves b towards a
  float t;
  __device__ float operator()(float a, float b) const { return t * (a - b); }
};

template <Activation act>
__global__ void __launch_bounds__(threads_per_block)
    finish(const float* bias, float* y, std::int64_t matrix, std::int64_t columns, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    y[i] = activate<act>(bias != nullptr ? y[i] + bias[i / matrix * columns + i % columns] : y[i]);
  }
}

__global__ void __launch_bounds__(threads_per_block)
    scale_channels(const float* x, const float* s, float* y, bool accumulate, std::int64_t image,
                   std::int64_t channels, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    put(y[i], x[i] * s[i / image * channels + i % channels], accumulate);
  }
}

// ds[n, c] = sum over pixels of dy x: 32 channels by 8 rows of pixels a block, summed over the rows in
// ascending order.
__global__ void __launch_bounds__(256)
    scale_gradient(const float* dy, const float* x, float* ds, bool accumulate, std::int64_t pixels,
                   std::int64_t channels) {
  SHARED(float, sums, [8][32]);
  const std::int64_t channel = static_cast<std::int64_t>(blockIdx.x) * 32 + threadIdx.x;
  const std::int64_t image = static_cast<std::int64_t>(blockIdx.y) * pixels * channels;
  float sum = 0;
  if (channel < channels) {
    for (std::int64_t p = threadIdx.y; p < pixels; p += 8) {
      const std::int64_t i = image + p * channels + channel;
      sum += dy[i] * x[i];
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) {
    float total = 0;
    for (int row = 0; row < 8; ++row) total += sums[row][threadIdx.x];
    put(ds[blockIdx.y * channels + channel], total, accumulate);
  }
}

__global__ void __launch_bounds__(threads_per_block)
    join(const float* a, const float* b, float* y, std::int64_t first, std::int64_t second, std::int64_t n) {
  const std::int64_t width = first + second;
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    const std::int64_t row = i / width, column = i % width;
    y[i] = column < first ? a[row * first + column] : b[row * second + column - first];
  }
}

__global__ void __launch_bounds__(threads_per_block)
    cut(const float* dy, std::int64_t width, std::int64_t begin, float* dx, bool accumulate,
        std::int64_t channels, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    put(dx[i], dy[i / channels * width + begin + i % channels], accumulate);
  }
}

// --- launchers ---------------------------------------------------------------------------------------

bool aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0; }

template <typename F>
void run_map(const char* name, Stream stream, F f, const float* a, const float* b, float* y, bool accumulate,
             std::int64_t n) {
  const std::int64_t quads = aligned(a) && aligned(b) && aligned(y) ? n / 4 : 0;
  launch(name, map<F>, blocks_for(quads > 0 ? quads : n), threads_per_block, 0, stream, f, a, b, y,
         accumulate, quads, n);
}

}  // namespace

void activation_forward(Stream stream, Activation act, const float* x, float* y, std::int64_t n) {
  dispatch(act, [&]<Activation kind>() {
    run_map("activation_forward", stream, Activate<kind>{}, x, nullptr, y, false, n);
  });
}

void activation_backward(Stream stream, Activation act, const float* x, const float* dy, float* dx,
                         bool accumulate, std::int64_t n) {
  dispatch(act, [&]<Activation kind>() {
    run_map("activation_backward", stream, Derive<kind>{}, x, dy, dx, accumulate, n);
  });
}

void add(Stream stream, const float* a, const float* b, float* y, std::int64_t n) {
  run_map("add", stream, Sum{}, a, b, y, false, n);
}

void copy_gradient(Stream stream, const float* dy, float* dx, bool accumulate, std::int64_t n) {
  run_map("copy_gradient", stream, Same{}, dy, nullptr, dx, accumulate, n);
}

void lerp(Stream stream, const float* source, float t, float* target, std::int64_t n) {
  run_map("lerp", stream, Towards{t}, source, target, target, true, n);
}

void bias_activation(Stream stream, const float* bias, Activation act, float* y, std::int64_t batch,
                     std::int64_t rows, std::int64_t columns) {
  const std::int64_t n = batch * rows * columns;
  dispatch(act, [&]<Activation kind>() {
    launch("bias_activation", finish<kind>, blocks_for(n), threads_per_block, 0, stream, bias, y,
           rows * columns, columns, n);
  });
}

void channel_scale_forward(Stream stream, const float* x, const float* s, float* y, std::int64_t images,
                           std::int64_t pixels, std::int64_t channels) {
  const std::int64_t image = pixels * channels, n = images * image;
  launch("channel_scale_forward", scale_channels, blocks_for(n), threads_per_block, 0, stream, x, s, y, false,
         image, channels, n);
}

void channel_scale_backward(Stream stream, const float* dy, const float* x, const float* s, float* dx,
                            bool dx_accumulate, float* ds, bool ds_accumulate, std::int64_t images,
                            std::int64_t pixels, std::int64_t channels) {
  const std::int64_t image = pixels * channels, n = images * image;
  launch("channel_scale_backward", scale_channels, blocks_for(n), threads_per_block, 0, stream, dy, s, dx,
         dx_accumulate, image, channels, n);
  launch("channel_scale_gradient", scale_gradient,
         dim3(ceil_divide(channels, 32), static_cast<unsigned>(images)), dim3(32, 8), 0, stream, dy, x, ds,
         ds_accumulate, pixels, channels);
}

void concat_forward(Stream stream, const float* a, const float* b, float* y, std::int64_t rows,
                    std::int64_t first, std::int64_t second) {
  const std::int64_t n = rows * (first + second);
  launch("concat_forward", join, blocks_for(n), threads_per_block, 0, stream, a, b, y, first, second, n);
}

void concat_backward(Stream stream, const float* dy, std::int64_t width, std::int64_t begin, float* dx,
                     bool accumulate, std::int64_t rows, std::int64_t channels) {
  const std::int64_t n = rows * channels;
  launch("concat_backward", cut, blocks_for(n), threads_per_block, 0, stream, dy, width, begin, dx,
         accumulate, channels, n);
}

}  // namespace adwp::ADWP_GPU::kernels
