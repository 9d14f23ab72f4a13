// Sums whose order does not depend on who is fast.
#include "cuda/kernels/reduce.h"

#include "cuda/kernels/column_reduce.cuh"

namespace adwp::ADWP_GPU::kernels {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

struct Elements {
  const float* x;
  std::int64_t columns;
  __device__ void operator()(std::int64_t row, std::int64_t column, float& first, float&) const {
    first += x[row * columns + column];
  }
};

struct StoreSum {
  float* sum;
  bool accumulate;
  __device__ void operator()(std::int64_t column, double first, double) const {
    put(sum[column], static_cast<float>(first), accumulate);
  }
};

// One sum a block, the parts of x side by side.
__global__ void __launch_bounds__(256) square_partials(const float* x, float* partial, std::int64_t n) {
  SHARED(float, sums, [8]);
  const std::int64_t part = blockIdx.x, parts = gridDim.x;
  const std::int64_t end = n * (part + 1) / parts;
  float sum = 0;
  for (std::int64_t i = n * part / parts + threadIdx.x; i < end; i += 256) sum += x[i] * x[i];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0;
    for (int warp = 0; warp < 8; ++warp) total += sums[warp];
    partial[part] = total;
  }
}

__global__ void __launch_bounds__(32) sum_partials(const float* partial, std::int64_t parts, float* sum) {
  double total = 0;
  for (std::int64_t part = threadIdx.x; part < parts; part += 32) total += partial[part];
  total = warp_sum(total);
  if (threadIdx.x == 0) *sum = static_cast<float>(total);
}

}  // namespace

// --- launchers ---------------------------------------------------------------------------------------

std::int64_t reduction_scratch(std::int64_t rows, std::int64_t channels) {
  return (reduction_parts(rows) + 1) * 2 * channels;  // one more for totals
}

void column_sum(Stream stream, const float* x, float* sum, bool accumulate, float* scratch, std::int64_t rows,
                std::int64_t columns) {
  column_reduce("column_sum", stream, Elements{x, columns}, StoreSum{sum, accumulate}, scratch, rows,
                columns);
}

void sum_of_squares(Stream stream, const float* x, float* sum, float* scratch, std::int64_t n) {
  const std::int64_t parts = reduction_parts(n);
  launch("sum_of_squares", square_partials, static_cast<unsigned>(parts), 256, 0, stream, x, scratch, n);
  launch("sum_of_squares", sum_partials, 1, 32, 0, stream, scratch, parts, sum);
}

}  // namespace adwp::ADWP_GPU::kernels
