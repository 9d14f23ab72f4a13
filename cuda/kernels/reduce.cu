// Sums over the rows of a matrix, and over everything, whose order does not depend on who is fast.
#include "cuda/kernels/column_reduce.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

struct Elements {
  const float* x;

  struct Nothing {};
  __device__ Nothing begin(std::int64_t) const { return {}; }
  template <int V>
  __device__ void add(Nothing, std::int64_t at, float (&first)[V], float (&)[V]) const {
    float value[V];
    load(value, x + at);
    UNROLL for (int v = 0; v < V; ++v) first[v] += value[v];
  }
};

struct StoreSum {
  float* sum;
  bool accumulate;
  __device__ void operator()(std::int64_t column, double first, double) const {
    put(sum[column], first, accumulate);
  }
};

// One sum per block, the parts of x side by side.
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
  if (threadIdx.x == 0) *sum = total;
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

// Of every operator that reduces rows: two sums per part and channel, and one part more for totals.
std::size_t GpuBackend::reduction_workspace(std::int64_t rows, std::int64_t channels) {
  return bytes_of((reduction_parts(rows) + 1) * 2 * channels);
}

void GpuBackend::compute(const ColumnSum& op, void* workspace) {
  const std::int64_t rows = op.x.shape()[0], columns = op.x.shape()[1];
  const float* x = floats(op.x);
  dispatch_width(
      columns,
      [&]<int V>() {
        column_reduce<V>(op.name, stream(), Elements{x}, StoreSum{floats(op.sum), op.sum.adds()},
                         scratch(workspace), rows, columns);
      },
      x);
}

void GpuBackend::compute(const SumOfSquares& op, void* workspace) {
  const std::int64_t n = op.x.elements(), parts = reduction_parts(n);
  float* partial = scratch(workspace);
  launch(op.name, square_partials, parts, 256, 0, stream(), floats(op.x), partial, n);
  launch(op.name, sum_partials, 1, 32, 0, stream(), partial, parts, floats(op.sum));
}

}  // namespace adwp::ADWP_GPU
