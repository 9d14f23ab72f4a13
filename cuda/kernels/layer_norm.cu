// Layer norm: one warp per row, which it reads three times; rows are short and stay in the cache.
#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

constexpr int rows_per_block = 4;

template <Activation act>
__global__ void __launch_bounds__(32 * rows_per_block)
    normalise_rows(const float* x, float* y, float* mean, float* inverse, float epsilon, std::int64_t rows,
                   std::int64_t columns) {
  const std::int64_t row = first_index() / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;  // the whole warp
  const float* in = x + row * columns;
  float sum = 0, squares = 0;
  for (std::int64_t c = lane; c < columns; c += 32) sum += in[c];
  const float middle = warp_sum(sum) / columns;
  for (std::int64_t c = lane; c < columns; c += 32) squares += (in[c] - middle) * (in[c] - middle);
  const float factor = 1.0f / sqrtf(warp_sum(squares) / columns + epsilon);
  for (std::int64_t c = lane; c < columns; c += 32) {
    y[row * columns + c] = activate<act>((in[c] - middle) * factor);
  }
  if (lane == 0) {
    mean[row] = middle;
    inverse[row] = factor;
  }
}

template <Activation act>
__global__ void __launch_bounds__(32 * rows_per_block)
    row_gradient(const float* dy, const float* x, const float* mean, const float* inverse, float* dx,
                 bool accumulate, std::int64_t rows, std::int64_t columns) {
  const std::int64_t row = first_index() / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float middle = mean[row], factor = inverse[row];
  float first = 0, second = 0;
  for (std::int64_t c = lane; c < columns; c += 32) {
    const float unit = (x[row * columns + c] - middle) * factor;
    const float g = dy[row * columns + c] * derivative<act>(unit);
    first += g;
    second += g * unit;
  }
  first = warp_sum(first) / columns;
  second = warp_sum(second) / columns;
  for (std::int64_t c = lane; c < columns; c += 32) {
    const float unit = (x[row * columns + c] - middle) * factor;
    const float g = dy[row * columns + c] * derivative<act>(unit);
    put(dx[row * columns + c], factor * (g - first - unit * second), accumulate);
  }
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const LayerNormForward& op, void*) {
  const std::int64_t rows = op.x.shape()[0], columns = op.x.shape()[1];
  dispatch(op.act, [&]<Activation act>() {
    launch("layer_norm_forward", normalise_rows<act>, ceil_divide(rows, rows_per_block), 32 * rows_per_block,
           0, stream(), floats(op.x), floats(op.y), floats(op.mean), floats(op.inverse), op.epsilon, rows,
           columns);
  });
}

void GpuBackend::compute(const LayerNormBackward& op, void*) {
  const std::int64_t rows = op.x.shape()[0], columns = op.x.shape()[1];
  dispatch(op.act, [&]<Activation act>() {
    launch("layer_norm_backward", row_gradient<act>, ceil_divide(rows, rows_per_block), 32 * rows_per_block,
           0, stream(), floats(op.dy), floats(op.x), floats(op.mean), floats(op.inverse), floats(op.dx),
           op.dx.adds(), rows, columns);
  });
}

}  // namespace adwp::ADWP_GPU
