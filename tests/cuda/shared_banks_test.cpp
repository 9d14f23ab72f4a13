// In how many rounds the fast product's accesses to shared memory are served. A warp's request is split into
// phases of 128 bytes (a quarter of the warp for 16 bytes a lane, half of it for 8); a phase takes one round
// for each different word that lies in one of the 32 banks. No access may take more rounds than phases.
#define ADWP_GPU emulated
#include "cuda/kernels/tile_product.cuh"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

namespace adwp::emulated {
namespace {

// offset(lane): of its first float; `width` floats a lane.
void expect_no_conflicts(const char* what, int width, const std::function<int(int)>& offset) {
  const int lanes_a_phase = 32 / width;
  for (int first = 0; first < 32; first += lanes_a_phase) {
    std::map<int, std::set<int>> words;  // by bank
    for (int lane = first; lane < first + lanes_a_phase; ++lane) {
      EXPECT_EQ(offset(lane) % width, 0) << what << ": misaligned, lane " << lane;
      for (int i = 0; i < width; ++i) words[(offset(lane) + i) % 32].insert(offset(lane) + i);
    }
    std::size_t rounds = 0;
    for (const auto& [bank, in_bank] : words) rounds = std::max(rounds, in_bank.size());
    EXPECT_EQ(rounds, 1u) << what << ", lanes from " << first;
  }
}

// A warp's cp.async of 16 bytes, as TileLoader places them.
template <typename Tile, int Rows>
void check_copies(bool along_k) {
  for (int thread = 0; thread < 256; thread += 32) {
    expect_no_conflicts("cp.async", 4, [&](int lane) {
      const int i = thread + lane;
      return along_k ? Tile::offset(i / 4, i % 4 * 4) : Tile::offset(i % (Rows / 4) * 4, i / (Rows / 4));
    });
  }
}

// What MmaSums reads for one register of a fragment: element (group, in), and in bf16 its neighbour along k.
template <Precision precision, bool AlongK, int Rows>
void check_fragments() {
  using Tile = SharedTile<AlongK, Rows, precision>;
  constexpr int depth = precision == Precision::bf16 ? 16 : 8;
  const int width = precision == Precision::bf16 && AlongK ? 2 : 1;
  check_copies<Tile, Rows>(AlongK);
  for (int k = 0; k < tile_k; k += depth / 2) {
    for (int row = 0; row < Rows; row += 8) {
      expect_no_conflicts("fragment", width,
                          [&](int lane) { return Tile::offset(row + lane / 4, k + lane % 4 * (depth / 8)); });
    }
  }
}

TEST(SharedBanks, FragmentsMeetInNoBank) {
  check_fragments<Precision::bf16, true, tile_m>();
  check_fragments<Precision::bf16, false, tile_m>();
  check_fragments<Precision::tf32, true, tile_n>();
  check_fragments<Precision::tf32, false, tile_n>();
}

// Tiles of bf16: copies of 8 elements, and the rows that lanes name for ldmatrix (MmaSums::load_matrices).
template <int Rows>
void check_matrices() {
  using Along = SharedTile<true, Rows, Precision::bf16, Bf16>;
  using Across = SharedTile<false, Rows, Precision::bf16, Bf16>;
  const auto check = [](const char* what, const std::function<int(int)>& element) {
    expect_no_conflicts(what, 4, [&](int lane) { return element(lane) / 2; });
  };
  for (int first = 0; first < Rows * tile_k / 8; first += 32) {
    check("cp.async along k", [&](int lane) {
      const int i = first + lane;
      return Along::offset(i / 2, i % 2 * 8);
    });
    check("cp.async across k", [&](int lane) {
      const int i = first + lane;
      return Across::offset(i % (Rows / 8) * 8, i / (Rows / 8));
    });
  }
  for (int row = 0; row < Rows; row += 16) {
    check("A along k", [&](int lane) { return Along::offset(row + lane % 16, lane / 16 * 8); });
    check("A across k",
          [&](int lane) { return Across::offset(row + lane / 8 % 2 * 8, lane / 16 * 8 + lane % 8); });
    check("B across k", [&](int lane) { return Across::offset(row + lane / 16 * 8, lane % 16); });
  }
}

TEST(SharedBanks, MatricesOfBf16MeetInNoBank) {
  check_matrices<tile_m>();
  check_matrices<tile_n>();
}

TEST(SharedBanks, VectorLoadsOfTheF32PathMeetInNoBank) {
  using Along = SharedTile<true, tile_m, Precision::f32>;
  using Across = SharedTile<false, tile_m, Precision::f32>;
  check_copies<Along, tile_m>(true);
  check_copies<Across, tile_m>(false);
  for (int k = 0; k < tile_k; k += 4) {
    for (int i = 0; i < 8; ++i) {
      expect_no_conflicts("A along k", 4, [&](int lane) { return Along::offset(lane / 16 + 16 * i, k); });
      expect_no_conflicts("B along k", 4, [&](int lane) { return Along::offset(lane % 16 + 16 * i, k); });
    }
  }
  for (int k = 0; k < tile_k; ++k) {
    expect_no_conflicts("A across k", 4, [&](int lane) { return Across::offset(lane / 16 * 8, k); });
    expect_no_conflicts("B across k", 4, [&](int lane) { return Across::offset(lane % 16 * 4, k); });
  }
}

}  // namespace
}  // namespace adwp::emulated
