// One-warp kernels around each primitive, with operands placed by the layouts that ptx.cuh documents.
#include "cuda/kernels/fragments.h"

#include "cuda/kernels/math.cuh"

namespace adwp::ADWP_GPU::kernels {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

__device__ void load_sums(const float* c, float (&sums)[4], int group, int in) {
  UNROLL for (int r = 0; r < 4; ++r) sums[r] = c[(group + r / 2 * 8) * 8 + in * 2 + r % 2];
}
__device__ void store_sums(float* c, const float (&sums)[4], int group, int in) {
  UNROLL for (int r = 0; r < 4; ++r) c[(group + r / 2 * 8) * 8 + in * 2 + r % 2] = sums[r];
}

__global__ void __launch_bounds__(32) tf32_tile(const float* a, const float* b, float* c) {
  const int group = static_cast<int>(threadIdx.x) / 4, in = static_cast<int>(threadIdx.x) % 4;
  std::uint32_t x[4], y[2];
  float sums[4];
  UNROLL for (int r = 0; r < 4; ++r) x[r] = ptx::to_tf32(a[(group + r % 2 * 8) * 8 + in + r / 2 * 4]);
  UNROLL for (int r = 0; r < 2; ++r) y[r] = ptx::to_tf32(b[(in + r * 4) * 8 + group]);
  load_sums(c, sums, group, in);
  ptx::mma_tf32(sums, x, y);
  store_sums(c, sums, group, in);
}

__global__ void __launch_bounds__(32) bf16_tile(const float* a, const float* b, float* c) {
  const int group = static_cast<int>(threadIdx.x) / 4, in = static_cast<int>(threadIdx.x) % 4;
  std::uint32_t x[4], y[2];
  float sums[4];
  UNROLL for (int r = 0; r < 4; ++r) {
    const float* at = a + (group + r % 2 * 8) * 16 + in * 2 + r / 2 * 8;
    x[r] = ptx::to_bf16x2(at[0], at[1]);
  }
  UNROLL for (int r = 0; r < 2; ++r) {
    const float* at = b + (in * 2 + r * 8) * 8 + group;
    y[r] = ptx::to_bf16x2(at[0], at[8]);
  }
  load_sums(c, sums, group, in);
  ptx::mma_bf16(sums, x, y);
  store_sums(c, sums, group, in);
}

template <bool Transposed>
__global__ void __launch_bounds__(32) matrix_tile(const std::uint16_t* from, std::uint32_t* to) {
  SHARED(std::uint16_t, rows, [32][8]);
  const auto other = 31 - threadIdx.x;  // a row that another lane will name
  UNROLL for (int i = 0; i < 8; ++i) rows[other][i] = from[other * 8 + i];
  __syncwarp();
  std::uint32_t r[4];
  ptx::ldmatrix_x4<Transposed>(r, rows[threadIdx.x]);
  UNROLL for (int i = 0; i < 4; ++i) to[threadIdx.x * 4 + i] = r[i];
}

__global__ void __launch_bounds__(64)
    async_tile(const float* x, const std::int32_t* valid, float* y16, float* y4) {
  SHARED(float, wide, [256]);
  SHARED(float, narrow, [256]);
  const int t = static_cast<int>(threadIdx.x);
  ptx::cp_async<16>(wide + t * 4, x + t * 4, valid[t] != 0);
  ptx::cp_async_commit();
  UNROLL for (int i = 0; i < 4; ++i) ptx::cp_async<4>(narrow + t * 4 + i, x + t * 4 + i, valid[t] != 0);
  ptx::cp_async_commit();
  ptx::cp_async_wait<1>();
  UNROLL for (int i = 0; i < 4; ++i) y16[t * 4 + i] = wide[t * 4 + i];
  ptx::cp_async_wait<0>();
  __syncthreads();
  UNROLL for (int i = 0; i < 4; ++i) y4[i * 64 + t] = narrow[i * 64 + t];
}

}  // namespace

// --- launchers ---------------------------------------------------------------------------------------

void mma_tf32_tile(Stream stream, const float* a, const float* b, float* c) {
  launch("mma_tf32_tile", tf32_tile, 1, 32, 0, stream, a, b, c);
}
void mma_bf16_tile(Stream stream, const float* a, const float* b, float* c) {
  launch("mma_bf16_tile", bf16_tile, 1, 32, 0, stream, a, b, c);
}
void ldmatrix_tile(Stream stream, bool transposed, const std::uint16_t* from, std::uint32_t* to) {
  launch("ldmatrix_tile", transposed ? matrix_tile<true> : matrix_tile<false>, 1, 32, 0, stream, from, to);
}
void copy_tile(Stream stream, const float* x, const std::int32_t* valid, float* y16, float* y4) {
  launch("copy_tile", async_tile, 1, 64, 0, stream, x, valid, y16, y4);
}

}  // namespace adwp::ADWP_GPU::kernels
