// What lanes of a warp do together: exchange values, load matrices, multiply them.
#include <cstring>

#include "tests/cuda/ptx/operations.h"
#include "tests/cuda/ptx/rounding.h"

namespace adwp::executor {
namespace {

using Kind = KernelFault::Kind;

// PTX ISA, ldmatrix: thread 8 j + i gives the address of row i of matrix j; thread t gets elements 2 (t % 4)
// and the next one of row t / 4 of each matrix, or of column t / 4 with .trans.
template <bool Transposed>
void ldmatrix(Warp& warp, const Instruction& in, std::uint32_t lanes) {
  if (lanes != all_lanes) stop(warp, 0, Kind::other, "ldmatrix by a part of the warp");
  std::uint16_t matrix[4][8][8];
  std::uint32_t rows[warp_size];
  for (int lane = 0; lane < warp_size; ++lane) {
    rows[lane] = operand<std::uint32_t>(warp, in, 4)[lane] + static_cast<std::uint32_t>(in.offset);
    check_shared(warp, lane, rows[lane], 16, Access::read);
    std::memcpy(matrix[lane / 8][lane % 8], warp.block->shared.data() + rows[lane], 16);
  }
  if (warp.block->options->counters) count_shared(in, lanes, rows, 16);
  for (int lane = 0; lane < warp_size; ++lane) {
    const int line = lane / 4, first = lane % 4 * 2;
    for (int j = 0; j < 4; ++j) {
      const std::uint32_t low = Transposed ? matrix[j][first][line] : matrix[j][line][first];
      const std::uint32_t high = Transposed ? matrix[j][first + 1][line] : matrix[j][line][first + 1];
      operand<std::uint32_t>(warp, in, j)[lane] = low | high << 16;
    }
  }
}

// The operands of D (16, 8) = A (16, K) B (K, 8) + C, collected from the registers of all lanes.
template <int K>
struct Operands {
  double a[16][K], b[K][8], c[16][8];
};

// PTX ISA, m16n8k16 with .bf16: element i of lane t, two to a register, the lower half first.
void collect(Warp& warp, const Instruction& in, Operands<16>& x) {
  auto element = [&](int from, int i, int lane) -> double {
    const std::uint32_t both = operand<std::uint32_t>(warp, in, from + i / 2)[lane];
    return std::bit_cast<float>(i % 2 == 1 ? both & 0xFFFF0000u : both << 16);
  };
  for (int lane = 0; lane < warp_size; ++lane) {
    const int group = lane / 4, pair = lane % 4 * 2;
    for (int i = 0; i < 8; ++i) {
      x.a[group + (i / 2 % 2 == 1 ? 8 : 0)][pair + i % 2 + (i >= 4 ? 8 : 0)] = element(4, i, lane);
    }
    for (int i = 0; i < 4; ++i) x.b[pair + i % 2 + (i >= 2 ? 8 : 0)][group] = element(8, i, lane);
  }
}

// PTX ISA, m16n8k8 with .tf32: one element to a register, of which the lower 13 bits do not count.
void collect(Warp& warp, const Instruction& in, Operands<8>& x) {
  auto element = [&](int which, int lane) -> double {
    return std::bit_cast<float>(operand<std::uint32_t>(warp, in, which)[lane] & 0xFFFFE000u);
  };
  for (int lane = 0; lane < warp_size; ++lane) {
    const int group = lane / 4, place = lane % 4;
    for (int i = 0; i < 4; ++i)
      x.a[group + (i % 2 == 1 ? 8 : 0)][place + (i >= 2 ? 4 : 0)] = element(4 + i, lane);
    for (int i = 0; i < 2; ++i) x.b[place + (i == 1 ? 4 : 0)][group] = element(8 + i, lane);
  }
}

template <int K>
double dot(const Operands<K>& x, int row, int column, bool truncated) {
  double sum = x.c[row][column];
  if (!truncated) {
    for (int k = 0; k < K; ++k) sum += x.a[row][k] * x.b[k][column];
    return sum;
  }
  for (int first = 0; first < K; first += K / 2) {  // by halves of k, one after the other, as on an A100
    double terms[K / 2 + 1] = {sum};
    for (int k = 0; k < K / 2; ++k) terms[k + 1] = x.a[row][first + k] * x.b[first + k][column];
    sum = truncated_sum(terms, K / 2 + 1);
  }
  return sum;
}

// C and D: element i of lane t stands in row t / 4 + 8 (i / 2), column 2 (t % 4) + i % 2.
template <int K>
void mma(Warp& warp, const Instruction& in, std::uint32_t lanes) {
  if (lanes != all_lanes) stop(warp, 0, Kind::other, "mma by a part of the warp");
  Operands<K> x;
  collect(warp, in, x);
  auto row = [](int lane, int i) { return lane / 4 + i / 2 * 8; };
  auto column = [](int lane, int i) { return lane % 4 * 2 + i % 2; };
  for (int lane = 0; lane < warp_size; ++lane) {
    for (int i = 0; i < 4; ++i) x.c[row(lane, i)][column(lane, i)] = operand<float>(warp, in, 10 + i)[lane];
  }
  const bool truncated = warp.block->options->truncated_sums;
  for (int lane = 0; lane < warp_size; ++lane) {
    for (int i = 0; i < 4; ++i) {
      operand<float>(warp, in, i)[lane] =
          static_cast<float>(dot(x, row(lane, i), column(lane, i), truncated));
    }
  }
}

}  // namespace

// The only operation of a warp that orders its accesses to shared memory.
void warp_barrier(Warp& warp, const Instruction&, std::uint32_t) { ++warp.sync; }

void shuffle_butterfly(Warp& warp, const Instruction& in, std::uint32_t lanes) {
  const auto* a = operand<std::uint32_t>(warp, in, 2);
  const auto* mask = operand<std::uint32_t>(warp, in, 3);
  const auto* clamp = operand<std::uint32_t>(warp, in, 4);
  std::uint32_t result[warp_size], valid[warp_size];
  each(lanes, [&](int lane) {
    const auto me = static_cast<std::uint32_t>(lane);
    const std::uint32_t segment = clamp[lane] >> 8 & 31,
                        last = (me & segment) | (clamp[lane] & 31 & ~segment);
    std::uint32_t from = me ^ (mask[lane] & 31);
    valid[lane] = from <= last;
    if (valid[lane] == 0) from = me;
    if ((lanes >> from & 1) == 0) stop(warp, lane, Kind::other, "shfl from a lane that takes no part");
    result[lane] = a[from];
  });
  each(lanes, [&](int lane) {
    operand<std::uint32_t>(warp, in, 0)[lane] = result[lane];
    operand<std::uint32_t>(warp, in, 1)[lane] = valid[lane];
  });
}

Execute ldmatrix_operation(const std::string& name) {
  if (name == "ldmatrix.sync.aligned.m8n8.x4.shared.b16") return ldmatrix<false>;
  if (name == "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16") return ldmatrix<true>;
  return nullptr;
}

Execute mma_operation(const std::string& name) {
  if (name == "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32") return mma<8>;
  if (name == "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32") return mma<16>;
  return nullptr;
}

}  // namespace adwp::executor
