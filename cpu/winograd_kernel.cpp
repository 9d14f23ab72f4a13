#include "cpu/winograd_kernel.h"

#include <array>

#include "cpu/loops.h"

namespace adwp::cpu {
namespace {

constexpr std::int64_t lanes = 16;  // filters, and channels, of a block
constexpr int side = 6, taps = 3;   // of G g Gt, and of g

// G of F(4, 3) at the points 0, p, -p, q, -q and infinity (Lavin and Gray 2016), the points of oneDNN's
// kernels.
constexpr auto transform = [] {
  constexpr double p = 0.625, q = 1.5;
  std::array<std::array<float, taps>, side> g{};
  const auto row = [](double point, double other) {
    const double scale = 1 / (2 * point * point * (point * point - other * other));
    return std::array{float(scale), float(scale * point), float(scale * point * point)};
  };
  g[0] = {float(1 / (p * p * q * q)), 0, 0};
  g[1] = row(p, q), g[2] = row(-p, q), g[3] = row(q, p), g[4] = row(-q, p);
  g[5] = {0, 0, 1};
  return g;
}();

using Lanes = float[lanes];  // of filters

// A block's kernels g, by tap and channel: of filters from `o` and channels from `i` of the convolution that
// is computed, which are channels and filters of w for dgrad.
void gather(const float* w, const Shape& shape, KernelUse use, std::int64_t o, std::int64_t i,
            Lanes (*g)[lanes]) {
  constexpr int all = taps * taps;
  const std::int64_t filters = shape[0], channels = shape[3];
  const bool turned = use == KernelUse::dgrad;
  const std::int64_t k = turned ? i : o, c = turned ? o : i;
  const std::int64_t ks = std::min(lanes, filters - k), cs = std::min(lanes, channels - c);
  std::fill_n(&g[0][0][0], all * lanes * lanes, 0.0f);
  for (std::int64_t a = 0; a < ks; ++a) {
    for (int tap = 0; tap < all; ++tap) {
      const float* from = w + ((k + a) * all + tap) * channels + c;
      for (std::int64_t b = 0; b < cs; ++b) {
        if (turned) {
          g[all - 1 - tap][a][b] = from[b];
        } else {
          g[tap][b][a] = from[b];
        }
      }
    }
  }
}

// sum of factors[r] times rows[r * stride].
void combine(const std::array<float, taps>& factors, const Lanes* rows, int stride, Lanes& result) {
#pragma omp simd
  for (std::int64_t o = 0; o < lanes; ++o) {
    result[o] = factors[0] * rows[0][o] + factors[1] * rows[stride][o] + factors[2] * rows[2 * stride][o];
  }
}

// G g Gt of a block's kernels, by place and channel.
void transform_block(const Lanes (*g)[lanes], Lanes (*u)[lanes]) {
  for (std::int64_t channel = 0; channel < lanes; ++channel) {
    Lanes columns[taps][side];  // G g, by column of g
    for (int column = 0; column < taps; ++column) {
      for (int a = 0; a < side; ++a) {
        combine(transform[a], &g[column][channel], taps * lanes, columns[column][a]);
      }
    }
    for (int a = 0; a < side; ++a) {
      for (int b = 0; b < side; ++b) combine(transform[b], &columns[0][a], side, u[a * side + b][channel]);
    }
  }
}

}  // namespace

bool packs_for_winograd(const dnnl::memory::desc& packed) {
  if (packed.data.format_kind != dnnl_format_kind_wino) return false;
  const dnnl_wino_desc_t& d = packed.data.format_desc.wino_desc;
  return d.wino_format == dnnl_wino_wei_OBaaIBOIio && d.r == taps && d.alpha == side && d.ic_block == lanes &&
         d.oc_block == lanes && d.adj_scale == 1;
}

void pack_for_winograd(const float* w, const Shape& shape, KernelUse use, const dnnl::memory::desc& packed,
                       float* to) {
  const dnnl_wino_desc_t& d = packed.data.format_desc.wino_desc;
  const std::int64_t o_blocks = d.oc / lanes, i_blocks = d.ic / lanes;
  // Axes from the slowest to the fastest: blocks of o2 blocks, 6, 6, blocks of i2 blocks, o2, i2, 16
  // channels, 16 filters.
  const std::int64_t o2 = d.oc2_block, i2 = d.ic2_block, area = lanes * lanes;
  const std::int64_t number = i_blocks * o2 * area;  // from one of the 36 to the next
  parallel_for(o_blocks * i_blocks, 4, [&](std::int64_t begin, std::int64_t end) {
    // Written one after the other from here: 36 places a power of two apart would push each other out of the
    // cache.
    Lanes g[taps * taps][lanes], u[side * side][lanes];
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t o = block / i_blocks, i = block % i_blocks;
      gather(w, shape, use, o * lanes, i * lanes, g);
      transform_block(g, u);
      float* first = to + o / o2 * side * side * number + ((i / i2 * o2 + o % o2) * i2 + i % i2) * area;
      for (int at = 0; at < side * side; ++at) std::copy_n(&u[at][0][0], area, first + at * number);
    }
  });
}

}  // namespace adwp::cpu
