// Two sums per channel over the rows of (rows, channels): the skeleton of batch norm's statistics and
// gradients and of bias gradients.
//
// A block takes 32 channels and one part of the rows. Its 8 warps go down the rows 8 apart, so that
// every read is 128 bytes side by side; the 8 sums of a channel are then added in shared memory, in
// ascending order. A second, small kernel adds the parts in ascending order, in double. No atomics:
// the same shape gives the same order and the same bits.
#pragma once

#include "cuda/kernels/math.cuh"

namespace adwp::ADWP_GPU {

// partial (parts, 2, channels) from term(row, channel, first, second), which adds to the two sums.
template <typename Term>
__global__ void __launch_bounds__(256)
    column_partials(Term term, float* partial, std::int64_t rows, std::int64_t channels) {
  SHARED(float, sums, [2][8][32]);
  const std::int64_t channel = first_index();
  const std::int64_t part = blockIdx.y, parts = gridDim.y;
  float first = 0, second = 0;
  if (channel < channels) {
    const std::int64_t end = rows * (part + 1) / parts;
    for (std::int64_t row = rows * part / parts + threadIdx.y; row < end; row += 8) {
      term(row, channel, first, second);
    }
  }
  sums[0][threadIdx.y][threadIdx.x] = first;
  sums[1][threadIdx.y][threadIdx.x] = second;
  __syncthreads();
  if (threadIdx.y < 2 && channel < channels) {
    float total = 0;
    for (int row = 0; row < 8; ++row) total += sums[threadIdx.y][row][threadIdx.x];
    partial[(part * 2 + threadIdx.y) * channels + channel] = total;
  }
}

// finish(channel, first, second) for every channel, with the sums over all parts.
template <typename Finish>
__global__ void __launch_bounds__(64)
    column_totals(Finish finish, const float* partial, std::int64_t parts, std::int64_t channels) {
  const std::int64_t channel = first_index();
  if (channel >= channels) return;
  double first = 0, second = 0;
  for (std::int64_t part = 0; part < parts; ++part) {
    first += partial[part * 2 * channels + channel];
    second += partial[(part * 2 + 1) * channels + channel];
  }
  finish(channel, first, second);
}

template <typename Term, typename Finish>
void column_reduce(const char* name, Stream stream, Term term, Finish finish, float* scratch,
                   std::int64_t rows, std::int64_t channels) {
  const std::int64_t parts = reduction_parts(rows);
  launch(name, column_partials<Term>, {ceil_divide(channels, 32), parts}, dim3(32, 8), 0, stream, term,
         scratch, rows, channels);
  launch(name, column_totals<Finish>, ceil_divide(channels, 64), 64, 0, stream, finish, scratch, parts,
         channels);
}

}  // namespace adwp::ADWP_GPU
