// One matrix product C (M, N) = A (M, K) B (K, N) for all of GEMM and convolution: what differs is
// where an operand's elements come from, and that an Operand tells (tile_loader.cuh).
//
// The fast kernel, after the shape of cuBLAS's and CUTLASS's SGEMM: a block of 256 threads makes a tile of
// 128 x 64 of C, going down k in steps of 16. Tiles of A and B come to shared memory (tile_loader.cuh), are
// multiplied (tile_sums.cuh), and the sums stored (tile_store.cuh). Splits of k (blockIdx.z) write their sums
// side by side, for a second kernel to add in order.
#pragma once

#include <type_traits>

#include "cuda/cuda_backend.h"
#include "cuda/kernels/math.cuh"
#include "cuda/kernels/norm_sums.cuh"
#include "cuda/kernels/part_sums.cuh"
#include "cuda/kernels/product.h"
#include "cuda/kernels/tile_loader.cuh"
#include "cuda/kernels/tile_moments.cuh"
#include "cuda/kernels/tile_store.cuh"
#include "cuda/kernels/tile_sums.cuh"

namespace adwp::ADWP_GPU {

// --- kernels -----------------------------------------------------------------------------------------

// Two blocks an SM where chunks of four are loaded: 128 registers, which none of them spills over. Told
// nothing, ptxas for sm_80 spills to fit one more.
template <Precision precision, int V, typename A, typename B, typename Out>
__global__ void __launch_bounds__(256, V == 4 ? 2 : 1)
    tile_product(A a, B b, Out out, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t k_per_split,
                 bool wide) {
  using TileA = SharedTile<A::along_k, tile_m, precision, typename A::Element>;
  using TileB = SharedTile<B::along_k, tile_n, precision, typename B::Element>;
  using InA = typename A::Element;
  using InB = typename B::Element;
  SHARED(float, tiles, [stages][TileA::floats + TileB::floats]);
  // Tiles of a row of them follow each other, so that what they read of A is still in the cache.
  const unsigned across = static_cast<unsigned>((n + tile_n - 1) / tile_n), row_tile = blockIdx.x / across;
  const std::int64_t first_row = std::int64_t{row_tile} * tile_m;
  const std::int64_t first_column = std::int64_t{blockIdx.x % across} * tile_n;
  const std::int64_t begin = blockIdx.z * k_per_split;
  const std::int64_t end = begin + k_per_split < k ? begin + k_per_split : k;
  const int steps = (end - begin + tile_k - 1) / tile_k;
  const int last = end - begin - std::int64_t{steps - 1} * tile_k;  // k of the last tile

  TileLoader<A, TileA, tile_m, chunk<InA, V>> load_a(a, first_row, begin);
  TileLoader<B, TileB, tile_n, chunk<InB, V>> load_b(b, first_column, begin);
  auto load = [&](int step) {
    if (step < steps) {
      float* stage = tiles[step % stages];
      const int depth = step + 1 < steps ? tile_k : last;
      load_a.load(reinterpret_cast<InA*>(stage), depth);
      load_b.load(reinterpret_cast<InB*>(stage + TileA::floats), depth);
    }
    ptx::cp_async_commit();  // empty groups keep the count right at the end
  };
  load(0);
  load(1);
  const TileNorm<A, TileA, tile_m> norm_a(a, first_row);
  const TileNorm<B, TileB, tile_n> norm_b(b, first_column);

  typename SumsFor<precision, TileA, TileB, A::along_k, B::along_k>::Type sums;
  for (int step = 0; step < steps; ++step) {
    ptx::cp_async_wait<1>();
    float* stage = tiles[step % stages];
    norm_a.apply(reinterpret_cast<InA*>(stage), begin + step * tile_k);
    norm_b.apply(reinterpret_cast<InB*>(stage + TileA::floats), begin + step * tile_k);
    __syncthreads();
    load(step + 2);
    sums.add(reinterpret_cast<InA*>(stage), reinterpret_cast<InB*>(stage + TileA::floats));
  }
  if constexpr (std::is_same_v<Out, OutputWithNormSums>) {
    return store_with_sums(sums, tiles[0], out, row_tile, m, first_column, n);
  }
  using InC = typename Out::Element;
  constexpr bool leaves_moments = std::is_same_v<Out, OutputWithMoments<InC>>;
  if constexpr (leaves_moments) {  // of C as stored
    UNROLL for (int i = 0; i < sums.rows; ++i) {
      UNROLL for (int j = 0; j < sums.columns; ++j) sums.at(i, j) = rounded<InC>(sums.at(i, j));
    }
  }
  store_tile(sums, out, first_row, m, first_column, n, wide);
  if constexpr (leaves_moments) {
    tile_moments(sums, tiles[0], m - first_row, out.moments, row_tile, first_column);
  }
}

// One thread per element: what the fast kernel is measured against.
template <typename A, typename B>
__global__ void __launch_bounds__(256)
    naive_product(A a, B b, Output<> out, std::int64_t m, std::int64_t n, std::int64_t k) {
  for (std::int64_t i = first_index(); i < m * n; i += index_step()) {
    const typename A::Row row = a.row(i / n);
    const typename B::Row column = b.row(i % n);
    float sum = 0;
    for (std::int64_t d = 0; d < k; ++d) {
      const float* x = a.at(row, a.depth(d));
      const float* y = b.at(column, b.depth(d));
      if (x != nullptr && y != nullptr) sum = fmaf(*x, *y, sum);
    }
    out.store(i / n, i % n, sum);
  }
}

// Each operand element through shared memory once per tile of 16 x 16: the step between the two.
template <typename A, typename B, typename Out>
__global__ void __launch_bounds__(256)
    tiled_product(A a, B b, Out out, std::int64_t m, std::int64_t n, std::int64_t k) {
  SHARED(float, x, [16][17]);
  SHARED(float, y, [16][17]);
  const int i = thread_index() / 16, j = thread_index() % 16;
  const std::int64_t row = block_index() * 16 + i, first_column = block_index_y() * 16;
  const std::int64_t column = first_column + j;
  const typename A::Row own_row = a.row(row);
  const typename B::Row other = b.row(first_column + i);
  float sum = 0;
  for (std::int64_t first = 0; first < k; first += 16) {
    const auto* from_a = first + j < k ? a.at(own_row, a.depth(first + j)) : nullptr;
    const auto* from_b = first + j < k ? b.at(other, b.depth(first + j)) : nullptr;
    x[i][j] = from_a != nullptr ? value_of(*from_a) : 0.0f;
    y[i][j] = from_b != nullptr ? value_of(*from_b) : 0.0f;
    __syncthreads();
    UNROLL for (int d = 0; d < 16; ++d) sum = fmaf(x[i][d], y[j][d], sum);
    __syncthreads();
  }
  if (row < m && column < n) out.store(row, column, sum);
}

// c = what the splits have summed, through the output's epilogue.
template <typename T>
struct StoreSplits {
  Output<T> out;
  int n;
  __device__ void operator()(std::int64_t column, float sum) const {
    const int i = column;  // a product that is split has few elements (ProductShape::splits)
    out.store(i / n, i % n, sum);
  }
};

// --- launching ---------------------------------------------------------------------------------------

// The fast kernel for the precision, and for what operands and C lie as: A in bf16 is multiplied so. From f32
// into bf16 only first layers go, whose channels fill no access: in f32.
template <bool Single, typename A, typename B, typename To, typename Go>
void choose_kernel(Precision precision, bool vector, Go&& go) {
  if constexpr (std::is_same_v<typename A::Element, Bf16>) {
    go(tile_product<Precision::bf16, 4, A, B, To>);
  } else if constexpr (std::is_same_v<typename To::Element, Bf16>) {
    go(tile_product<Precision::f32, 1, A, B, To>);
  } else if (!vector) {
    if constexpr (Single) go(tile_product<Precision::f32, 1, A, B, To>);
  } else if (precision == Precision::f32) {
    go(tile_product<Precision::f32, 4, A, B, To>);
  } else if (precision == Precision::tf32) {
    go(tile_product<Precision::tf32, 4, A, B, To>);
  } else {
    go(tile_product<Precision::bf16, 4, A, B, To>);
  }
}

// `vector`: may whole accesses of 16 bytes be loaded? If not, the fast kernel runs on single elements where
// `Single` has it compiled (images of 3 channels), the tiled one elsewhere. `scratch`: shape.scratch()
// floats. Out: Output, PlainOutput where it can be no other, or OutputWithMoments, which only the fast kernel
// fills, of a product without splits.
template <bool Single, typename A, typename B, typename Out>
void run_product(const char* name, Stream stream, const GpuOptions& options, bool vector, const A& a,
                 const B& b, const Out& out, const ProductShape& shape, float* scratch) {
  using T = typename Out::Element;
  constexpr bool narrow = std::is_same_v<typename A::Element, Bf16>, exact = std::is_same_v<T, float>;
  const std::int64_t m = shape.m, n = shape.n, k = shape.k;
  const Output<T> full{out.c, out.row_pitch, out.column_pitch, out.bias, out.act, out.accumulate};
  if constexpr (!narrow && exact) {
    if (options.level == KernelLevel::naive) {
      return launch(name, naive_product<A, B>, blocks_for(m * n), 256, 0, stream, a, b, full, m, n, k);
    }
  }
  if constexpr (narrow || exact) {
    if (options.level == KernelLevel::tiled || (!vector && (narrow || !(Single && exact)))) {
      return launch(name, tiled_product<A, B, Output<T>>, {ceil_divide(m, 16), ceil_divide(n, 16)}, 256, 0,
                    stream, a, b, full, m, n, k);
    }
  }
  const std::int64_t splits = shape.splits();
  const std::int64_t k_per_split = ceil_divide(ceil_divide(k, splits), tile_k) * tile_k;
  auto run = [&]<typename To>(const To& to) {
    const bool side_by_side = n % vector_width<typename To::Element> == 0 && to.aligned();
    choose_kernel<Single, A, B, To>(options.precision, vector, [&](auto* kernel) {
      launch(name, kernel, {ceil_divide(m, tile_m) * ceil_divide(n, tile_n), 1, splits}, 256, 0, stream, a, b,
             to, m, n, k, k_per_split, side_by_side);
    });
  };
  if (splits > 1) {
    run(PlainOutput<>{scratch, n, 1, nullptr, Activation::none, false, m * n});
    return run_add_parts(name, stream, StoreSplits<T>{full, static_cast<int>(n)}, scratch, splits, m * n);
  }
  if constexpr (std::is_same_v<Out, Output<T>>) {
    if (out.plain()) {
      return run(PlainOutput<T>{out.c, out.row_pitch, 1, nullptr, Activation::none, out.accumulate});
    }
  }
  run(out);
}

// C of two stored matrices (gemm.cu): A (m, k), or (k, m) where transposed, B (k, n), or (n, k). Both
// row-major and dense.
void matrix_product(const char* name, Stream stream, const GpuOptions& options, bool transpose_a,
                    bool transpose_b, const float* a, const float* b, const Output<>& out,
                    const ProductShape& shape, float* scratch);
// x times w transposed, as 1x1 convolutions have it: x (m, k), w (n, k). x goes through its norm first, where
// there is one: only where pointwise_takes_norm(). With OutputWithMoments: of products without splits. T: in
// which x and C lie.
bool pointwise_takes_norm(const GpuOptions& options, const ProductShape& shape, const Tensor& x,
                          const float* w);
template <typename T>
void pointwise_product(Stream stream, const GpuOptions& options, const T* x, const InputNorm& input,
                       const float* w, const OutputWithMoments<T>& out, const ProductShape& shape);
template <typename T>
void pointwise_product(Stream stream, const GpuOptions& options, const T* x, const InputNorm& input,
                       const float* w, const PlainOutput<T>& out, const ProductShape& shape, float* scratch);
// dy times w, for the gradient by x: dy (m, k), w (k, n). Out: PlainOutput<T>, or where it takes sums
// OutputWithNormSums.
bool pointwise_dgrad_takes_sums(const ProductShape& shape, const ConvDgrad& op);
template <typename T, typename Out>
void pointwise_dgrad(Stream stream, const GpuOptions& options, const T* dy, const float* w, const Out& out,
                     const ProductShape& shape, float* scratch);
// dy transposed times x, for its weights' gradient: dy (k, m), x (k, n), the latter with a norm or without.
bool pointwise_wgrad_takes_norm(const GpuOptions& options, const ProductShape& shape, const Tensor& dy,
                                const Tensor& x);
template <typename T>
void pointwise_wgrad(Stream stream, const GpuOptions& options, const T* dy, const T* x,
                     const InputNorm& input, const PlainOutput<>& out, const ProductShape& shape,
                     float* scratch);

}  // namespace adwp::ADWP_GPU
