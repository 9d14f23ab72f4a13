// GEMM. Products of ordinary shape go through the tile kernel (tile_product.cuh). Those of a few rows
// with stored-by-row weights, y (M <= 8, N) = x W^T, are a matrix-vector product at heart, bound by
// reading W: one warp a row of W, read once for all rows of x. A batch is in blockIdx.z of the same kernels.
#include "cuda/kernels/gemm.h"

#include "cuda/kernels/tile_product.cuh"

namespace adwp::ADWP_GPU::kernels {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

constexpr int most_skinny_rows = 8;

template <int M>
__global__ void __launch_bounds__(256)
    skinny(const float* x, const float* w, Output out, std::int64_t n, std::int64_t k) {
  x += blockIdx.z * M * k;
  w += blockIdx.z * n * k;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * 8 + threadIdx.x / 32;
  const std::int64_t lane = threadIdx.x % 32;
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

// --- launchers ---------------------------------------------------------------------------------------

template <int M>
void run_skinny(Stream stream, const ProductShape& shape, const float* x, const float* w, const Output& out) {
  if constexpr (M > 0) {
    if (shape.m != M) return run_skinny<M - 1>(stream, shape, x, w, out);
    const dim3 grid(ceil_divide(shape.n, 8), 1, static_cast<unsigned>(shape.batch));
    launch("gemm_skinny", skinny<M>, grid, 256, 0, stream, x, w, out, shape.n, shape.k);
  }
}

bool aligned(const float* pointer, std::int64_t pitch) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0 && pitch % 4 == 0;
}

// In one launch.
void gemm_once(Stream stream, const ProductChoice& choice, const ProductShape& shape, bool transpose_a,
               bool transpose_b, const float* a, const float* b, const Output& out, float* scratch) {
  const std::int64_t m = shape.m, n = shape.n, k = shape.k;
  if (choice.level == Level::fast && m <= most_skinny_rows && !transpose_a && transpose_b) {
    return run_skinny<most_skinny_rows>(stream, shape, a, b, out);
  }
  const std::int64_t pitch_a = transpose_a ? m : k, pitch_b = transpose_b ? k : n;
  const bool vector = aligned(a, pitch_a) && aligned(b, pitch_b);
  auto run = [&](const auto& left, const auto& right) {
    run_product<false>("gemm", stream, choice, vector, left, right, out, shape, scratch);
  };
  auto with_left = [&](const auto& left) {
    if (transpose_b) {
      run(left, MatrixOperand<true>{b, pitch_b, n, k});
    } else {
      run(left, MatrixOperand<false>{b, pitch_b, n, k});
    }
  };
  if (transpose_a) {
    with_left(MatrixOperand<false>{a, pitch_a, m, k});
  } else {
    with_left(MatrixOperand<true>{a, pitch_a, m, k});
  }
}

}  // namespace

void gemm(Stream stream, const ProductChoice& choice, const GemmShape& shape, const float* a, const float* b,
          const float* bias, Activation act, float* c, bool accumulate, float* scratch) {
  const auto [m, n, k, transpose_a, transpose_b, batch, bias_each] = shape;
  const std::int64_t bias_pitch = bias_each ? n : 0;
  const ProductShape whole{m, n, k, batch};
  for (std::int64_t first = 0; first < batch; first += most_in_launch) {
    const Output out{
        c + first * m * n, n,     1,         bias == nullptr ? nullptr : bias + first * bias_pitch, act,
        accumulate,        m * n, bias_pitch};
    gemm_once(stream, choice, part_of(whole, first), transpose_a, transpose_b, a + first * m * k,
              b + first * k * n, out, scratch);
  }
}

}  // namespace adwp::ADWP_GPU::kernels
