// Elementwise kernels. All are bound by memory: one read of each input, one write of the output.
// Where operands are aligned, a thread moves 16 bytes at a time, which is what saturates the memory
// system with few threads.
#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
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

// y[i] = or += a[i] + b[i] where a and b are bf16, V at a time; b may be null.
template <int V, typename T>
__global__ void __launch_bounds__(threads_per_block)
    add_narrow(const Bf16* a, const Bf16* b, T* y, bool accumulate, std::int64_t count) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    float u[V], v[V] = {};
    load(u, a + i * V);
    if (b != nullptr) load(v, b + i * V);
    UNROLL for (int j = 0; j < V; ++j) u[j] += v[j];
    put(y + i * V, u, accumulate);
  }
}

// Rows of a and b side by side; V columns at a time.
template <int V, typename T>
__global__ void __launch_bounds__(threads_per_block)
    join(const T* a, const T* b, T* y, int first, int second, int count) {
  const int width = (first + second) / V, step = index_step();
  for (int i = first_index(); i < count; i += step) {
    const int row = i / width, column = i % width * V;
    float values[V];
    load(values, column < first ? a + row * first + column : b + row * second + column - first);
    store(y + i * V, values);
  }
}

// dx (rows, channels) from the first columns of dy (rows, width).
template <int V, typename T>
__global__ void __launch_bounds__(threads_per_block)
    cut(const T* dy, int width, T* dx, bool accumulate, int channels, int count) {
  const int own = channels / V, step = index_step();
  for (int i = first_index(); i < count; i += step) {
    float values[V];
    load(values, dy + i / own * width + i % own * V);
    put(dx + i * V, values, accumulate);
  }
}

// --- launching ---------------------------------------------------------------------------------------

bool aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0; }

template <typename F>
void run_map(const char* name, Stream stream, F f, const float* a, const float* b, float* y, bool accumulate,
             std::int64_t n) {
  const std::int64_t quads = aligned(a) && aligned(b) && aligned(y) ? n / 4 : 0;
  launch(name, map<F>, blocks_for(quads > 0 ? quads : n), threads_per_block, 0, stream, f, a, b, y,
         accumulate, quads, n);
}

template <typename T>
void run_add_narrow(const char* name, Stream stream, const Bf16* a, const Bf16* b, T* y, bool accumulate,
                    std::int64_t n) {
  const auto run = [&]<int V>() {
    launch(name, add_narrow<V, T>, blocks_for(n / V), threads_per_block, 0, stream, a, b, y, accumulate,
           n / V);
  };
  dispatch_width<Bf16>(n, run, a, b, y);
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const ActivationForward& op, void*) {
  dispatch(op.act, [&]<Activation act>() {
    run_map(op.name, stream(), Activate<act>{}, floats(op.x), nullptr, floats(op.y), false, op.x.elements());
  });
}

void GpuBackend::compute(const ActivationBackward& op, void*) {
  dispatch(op.act, [&]<Activation act>() {
    run_map(op.name, stream(), Derive<act>{}, floats(op.x), floats(op.dy), floats(op.dx), op.dx.adds(),
            op.x.elements());
  });
}

void GpuBackend::compute(const Add& op, void*) {
  if (op.y.dtype() == DType::f32) {
    return run_map(op.name, stream(), Sum{}, floats(op.a), floats(op.b), floats(op.y), false,
                   op.a.elements());
  }
  run_add_narrow(op.name, stream(), op.a.data<Bf16>(), op.b.data<Bf16>(), op.y.data<Bf16>(), false,
                 op.a.elements());
}

void GpuBackend::compute(const CopyGradient& op, void*) {
  const std::int64_t n = op.dy.elements();
  if (op.dy.dtype() == DType::f32) {
    return run_map(op.name, stream(), Same{}, floats(op.dy), nullptr, floats(op.dx), op.dx.adds(), n);
  }
  dispatch_stored(op.dx.tensor, [&]<typename T>() {
    run_add_narrow(op.name, stream(), op.dy.data<Bf16>(), nullptr, op.dx.tensor.data<T>(), op.dx.adds(), n);
  });
}

void GpuBackend::compute(const Lerp& op, void*) {
  run_map(op.name, stream(), Towards{op.t}, floats(op.source), floats(op.target), floats(op.target), true,
          op.target.elements());
}

void GpuBackend::compute(const ConcatForward& op, void*) {
  const std::int64_t first = op.a.shape().back(), second = op.b.shape().back(), width = first + second;
  dispatch_stored(op.y, [&]<typename T>() {
    const T *a = op.a.data<T>(), *b = op.b.data<T>();
    T* y = op.y.data<T>();
    const auto run = [&]<int V>() {
      in_pieces(op.y.shape().rows(), width, [&](std::int64_t at, std::int64_t rows) {
        const std::int64_t row = at / width, count = rows * width / V;
        launch(op.name, join<V, T>, blocks_for(count), threads_per_block, 0, stream(), a + row * first,
               b + row * second, y + at, first, second, count);
      });
    };
    dispatch_width<T>(first % vector_width<T> == 0 ? second : first, run, a, b, y);
  });
}

void GpuBackend::compute(const ConcatBackward& op, void*) {
  const std::int64_t channels = op.dx.tensor.shape().back(), width = op.dy.shape().back();
  dispatch_stored(op.dy, [&]<typename T>() {
    const T* dy = op.dy.data<T>() + op.channel;
    T* dx = op.dx.tensor.data<T>();
    const auto run = [&]<int V>() {
      in_pieces(op.dy.shape().rows(), width, [&](std::int64_t at, std::int64_t rows) {
        const std::int64_t count = rows * channels / V;
        launch(op.name, cut<V, T>, blocks_for(count), threads_per_block, 0, stream(), dy + at, width,
               dx + at / width * channels, op.dx.adds(), channels, count);
      });
    };
    dispatch_width<T>(width % vector_width<T> == 0 ? channels : width, run, dy, dx);
  });
}

}  // namespace adwp::ADWP_GPU
