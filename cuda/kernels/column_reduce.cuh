// Two sums per channel over the rows of (rows, channels): the skeleton of batch norm's statistics and
// gradients and of bias gradients.
//
// A block takes 32 channels and one part of the rows. A thread has V channels side by side (4, of bf16
// 8, where they fill loads of 16 bytes), so that a warp reads V rows of 32 channels; it keeps what it knows
// of its channels in registers. A block's sums are added by shuffles and in shared memory; a second, small
// kernel adds the parts (part_sums.cuh), in double. No atomics: the same shape gives the same order and the
// same bits.
#pragma once

#include "cuda/kernels/math.cuh"
#include "cuda/kernels/part_sums.cuh"

namespace adwp::ADWP_GPU {

// partial (parts, 2, channels). Term: term.begin(channel) is told the first of its V channels, then
// term.add(at, first, second) adds to V sums each from the elements at and behind it.
template <int V, typename Term>
__global__ void __launch_bounds__(256)
    column_partials(Term term, float* partial, std::int64_t rows, std::int64_t channels) {
  constexpr int lanes = 32 / V, rows_a_step = 8 * V;
  SHARED(float, sums, [2][8][32]);
  const int lane = thread_index() % lanes, warp = thread_index() / 32;
  const std::int64_t channel = block_index() * 32 + lane * V;
  const std::int64_t part = blockIdx.y, parts = gridDim.y;
  float first[V] = {}, second[V] = {};
  if (channel < channels) {
    term.begin(channel);
    const std::int64_t end = rows * (part + 1) / parts;
    std::int64_t row = rows * part / parts + thread_index() / lanes, at = row * channels + channel;
    for (; row < end; row += rows_a_step, at += rows_a_step * channels) term.add(at, first, second);
  }
  UNROLL for (int v = 0; v < V; ++v) {
    first[v] = over_lanes<lanes>(first[v]);
    second[v] = over_lanes<lanes>(second[v]);
    if (thread_index() % 32 < lanes) {
      sums[0][warp][lane * V + v] = first[v];
      sums[1][warp][lane * V + v] = second[v];
    }
  }
  __syncthreads();
  const int own = thread_index() % 32;
  if (warp < 2 && block_index() * 32 + own < channels) {
    float total = 0;
    UNROLL for (int row = 0; row < 8; ++row) total += sums[warp][row][own];
    partial[(part * 2 + warp) * channels + block_index() * 32 + own] = total;
  }
}

// finish(channel, first, second) for every channel, with the sums over all parts.
template <int Threads = 256, typename Finish>
__global__ void __launch_bounds__(Threads)
    column_totals(Finish finish, const float* partial, std::int64_t parts, std::int64_t channels) {
  using Sums = PartSums<8, Threads, double, 2>;
  const std::int64_t channel = block_index() * 8 + Sums::column();
  double totals[2] = {};
  if (channel < channels) {
    for (std::int64_t part = Sums::row(); part < parts; part += Sums::rows) {
      totals[0] += partial[part * 2 * channels + channel];
      totals[1] += partial[(part * 2 + 1) * channels + channel];
    }
  }
  Sums::add(totals);
  if (Sums::row() == 0 && channel < channels) finish(channel, totals[0], totals[1]);
}

// term of V channels, by Term<V>.
template <int V, typename Term, typename Finish>
void column_reduce(const char* name, Stream stream, const Term& term, const Finish& finish, float* scratch,
                   std::int64_t rows, std::int64_t channels) {
  const std::int64_t parts = reduction_parts(rows);
  launch(name, column_partials<V, Term>, {ceil_divide(channels, 32), parts}, 256, 0, stream, term, scratch,
         rows, channels);
  launch(name, column_totals<256, Finish>, ceil_divide(channels, 8), 256, 0, stream, finish, scratch, parts,
         channels);
}

}  // namespace adwp::ADWP_GPU
