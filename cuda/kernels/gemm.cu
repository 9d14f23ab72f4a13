// GEMM. Products of ordinary shape go through the tile kernel (tile_product.cuh). Those of a few rows with
// stored-by-row weights, y (M <= 8, N) = x W^T, are a matrix-vector product at heart, bound by reading W: one
// warp per row of W, which it reads once for all rows of x.
#include "cuda/kernels/tile_product.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

constexpr int most_skinny_rows = 8;

template <int M>
__global__ void __launch_bounds__(256)
    skinny(const float* x, const float* w, Output<> out, std::int64_t n, std::int64_t k) {
  const std::int64_t column = first_index() / 32, lane = threadIdx.x % 32;
  if (column >= n) return;  // the whole warp
  float sums[M] = {};
  for (std::int64_t d = lane; d < k; d += 32) {
    const float weight = w[column * k + d];
    UNROLL for (int i = 0; i < M; ++i) sums[i] = fmaf(x[i * k + d], weight, sums[i]);
  }
  UNROLL for (int i = 0; i < M; ++i) {
    const float total = warp_sum(sums[i]);
    if (lane == 0) out.store(i, column, total);
  }
}

template <Activation act>
__global__ void __launch_bounds__(threads_per_block)
    finish(const float* bias, float* y, std::int64_t columns, std::int64_t n) {
  for (std::int64_t i = first_index(); i < n; i += index_step()) {
    y[i] = activate<act>(bias != nullptr ? y[i] + bias[i % columns] : y[i]);
  }
}

// --- launching ---------------------------------------------------------------------------------------

template <int M>
void run_skinny(Stream stream, const ProductShape& shape, const float* x, const float* w,
                const Output<>& out) {
  if constexpr (M > 0) {
    if (shape.m != M) return run_skinny<M - 1>(stream, shape, x, w, out);
    launch("gemm_skinny", skinny<M>, ceil_divide(shape.n, 8), 256, 0, stream, x, w, out, shape.n, shape.k);
  }
}

template <typename T>
bool aligned(const T* pointer, std::int64_t pitch) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0 && pitch % vector_width<T> == 0;
}

}  // namespace

void bias_activation(Stream stream, const float* bias, Activation act, float* y, std::int64_t rows,
                     std::int64_t columns) {
  const std::int64_t n = rows * columns;
  dispatch(act, [&]<Activation kind>() {
    launch("bias_activation", finish<kind>, blocks_for(n), threads_per_block, 0, stream, bias, y, columns, n);
  });
}

// --- products of stored matrices ------------------------------------------------------------------------

void matrix_product(const char* name, Stream stream, const GpuOptions& options, bool transpose_a,
                    bool transpose_b, const float* a, const float* b, const Output<>& out,
                    const ProductShape& shape, float* scratch) {
  const std::int64_t m = shape.m, n = shape.n, k = shape.k;
  const std::int64_t pitch_a = transpose_a ? m : k, pitch_b = transpose_b ? k : n;
  const bool vector = aligned(a, pitch_a) && aligned(b, pitch_b);
  const auto run = [&](const auto& left, const auto& right) {
    run_product<false>(name, stream, options, vector, left, right, out, shape, scratch);
  };
  const MatrixOperand<true> a_along{a, pitch_a, m, k}, b_along{b, pitch_b, n, k};
  const MatrixOperand<false> a_across{a, pitch_a, m, k}, b_across{b, pitch_b, n, k};
  if (transpose_a) {
    transpose_b ? run(a_across, b_along) : run(a_across, b_across);
  } else {
    transpose_b ? run(a_along, b_along) : run(a_along, b_across);
  }
}

// --- those of 1x1 convolutions ----------------------------------------------------------------------------

bool pointwise_takes_norm(const GpuOptions& options, const ProductShape& shape, const Tensor& x,
                          const float* w) {
  bool whole = false;
  dispatch_stored(x, [&]<typename T>() { whole = aligned(x.data<T>(), shape.k); });
  return options.level == KernelLevel::fast && shape.k <= NormedOperand<true>::most_depth && whole &&
         aligned(w, shape.k);
}

namespace {

template <bool Single, typename T, typename Out>
void run_pointwise(Stream stream, const GpuOptions& options, const T* x, const InputNorm& input,
                   const float* w, const Out& out, const ProductShape& shape, float* scratch) {
  const std::int64_t m = shape.m, n = shape.n, k = shape.k;
  const char* name = "conv2d_forward";
  const MatrixOperand<true, T> a{x, k, m, k};
  const MatrixOperand<true> b{w, k, n, k};
  if (input.defined()) {
    return run_product<false>(name, stream, options, true, NormedOperand<true, T>{a, input}, b, out, shape,
                              scratch);
  }
  run_product<Single>(name, stream, options, aligned(x, k) && aligned(w, k), a, b, out, shape, scratch);
}

}  // namespace

template <typename T>
void pointwise_product(Stream stream, const GpuOptions& options, const T* x, const InputNorm& input,
                       const float* w, const OutputWithMoments<T>& out, const ProductShape& shape) {
  run_pointwise<true>(stream, options, x, input, w, out, shape, nullptr);
}
template <typename T>
void pointwise_product(Stream stream, const GpuOptions& options, const T* x, const InputNorm& input,
                       const float* w, const PlainOutput<T>& out, const ProductShape& shape, float* scratch) {
  run_pointwise<false>(stream, options, x, input, w, out, shape, scratch);
}
bool pointwise_dgrad_takes_sums(const ProductShape& shape, const ConvDgrad& op) {
  const auto whole = [&](const Tensor& tensor, std::int64_t pitch) {
    return aligned(tensor.data<Bf16>(), pitch);
  };
  return shape.splits() == 1 && whole(op.dy, shape.k) && whole(op.dx.tensor, shape.n) &&
         whole(op.sums.x, shape.n) && aligned(floats(op.w), shape.n);
}
template <typename T, typename Out>
void pointwise_dgrad(Stream stream, const GpuOptions& options, const T* dy, const float* w, const Out& out,
                     const ProductShape& shape, float* scratch) {
  const std::int64_t m = shape.m, n = shape.n, k = shape.k;
  run_product<false>("conv2d_dgrad", stream, options, aligned(dy, k) && aligned(w, n),
                     MatrixOperand<true, T>{dy, k, m, k}, MatrixOperand<false>{w, n, n, k}, out, shape,
                     scratch);
}

bool pointwise_wgrad_takes_norm(const GpuOptions& options, const ProductShape& shape, const Tensor& dy,
                                const Tensor& x) {
  bool whole = false;
  dispatch_stored(
      x, [&]<typename T>() { whole = aligned(dy.data<T>(), shape.m) && aligned(x.data<T>(), shape.n); });
  return options.level == KernelLevel::fast && whole;
}
template <typename T>
void pointwise_wgrad(Stream stream, const GpuOptions& options, const T* dy, const T* x,
                     const InputNorm& input, const PlainOutput<>& out, const ProductShape& shape,
                     float* scratch) {
  const std::int64_t m = shape.m, n = shape.n, k = shape.k;
  const MatrixOperand<false, T> left{dy, m, m, k}, right{x, n, n, k};
  const auto run = [&](const auto& b) {
    run_product<false>("conv2d_wgrad", stream, options, aligned(dy, m) && aligned(x, n), left, b, out, shape,
                       scratch);
  };
  if (input.defined()) return run(NormedOperand<false, T>{right, input});
  run(right);
}

#define ADWP_POINTWISE(T)                                                                                 \
  template void pointwise_product(Stream, const GpuOptions&, const T*, const InputNorm&, const float*,    \
                                  const OutputWithMoments<T>&, const ProductShape&);                      \
  template void pointwise_product(Stream, const GpuOptions&, const T*, const InputNorm&, const float*,    \
                                  const PlainOutput<T>&, const ProductShape&, float*);                    \
  template void pointwise_dgrad(Stream, const GpuOptions&, const T*, const float*, const PlainOutput<T>&, \
                                const ProductShape&, float*);                                             \
  template void pointwise_wgrad(Stream, const GpuOptions&, const T*, const T*, const InputNorm&,          \
                                const PlainOutput<>&, const ProductShape&, float*);
ADWP_POINTWISE(float)
ADWP_POINTWISE(Bf16)
#undef ADWP_POINTWISE
template void pointwise_dgrad(Stream, const GpuOptions&, const Bf16*, const float*, const OutputWithNormSums&,
                              const ProductShape&, float*);

// --- operator ----------------------------------------------------------------------------------------

namespace {

ProductShape product_of(const Gemm& op) { return {op.m(), op.n(), op.k(), op.batch_invariant}; }

}  // namespace

std::size_t GpuBackend::workspace(const Gemm& op) { return bytes_of(product_of(op).scratch()); }

void GpuBackend::compute(const Gemm& op, void* workspace) {
  const ProductShape shape = product_of(op);
  const float *a = floats(op.a), *b = floats(op.b), *bias = op.bias.defined() ? floats(op.bias) : nullptr;
  const Output<> out{floats(op.c), shape.n, 1, bias, op.act, op.c.adds()};
  const bool is_skinny =
      shape.m <= most_skinny_rows && !op.transpose_a && op.transpose_b && !op.batch_invariant;
  if (options_.level == KernelLevel::fast && is_skinny) {
    return run_skinny<most_skinny_rows>(stream(), shape, a, b, out);
  }
  matrix_product("gemm", stream(), options_, op.transpose_a, op.transpose_b, a, b, out, shape,
                 scratch(workspace));
}

}  // namespace adwp::ADWP_GPU
