// The space of NAS-Bench-Macro, with the benchmark's own codes and its counts as plain arithmetic.
#include <gtest/gtest.h>

#include <set>

#include "framework/io/atomic_file.h"
#include "nas/score/structure.h"
#include "nas/space/encoding.h"
#include "nas/space/search_space.h"
#include "tests/support/temporary_directory.h"

namespace adwp::nas {
namespace {

constexpr int stage_depths[] = {2, 3, 3};

SearchSpace macro_space() { return SearchSpace::open(ADWP_SOURCE "/bench/nas_bench_macro/space.toml"); }

// All codes: eight digits, 0 an identity, 1 kernel 3 and expansion 3, 2 kernel 5 and expansion 6.
std::vector<std::string> all_codes() {
  std::vector<std::string> codes{""};
  for (int digit = 0; digit < 8; ++digit) {
    std::vector<std::string> longer;
    for (const std::string& code : codes) {
      for (const char* choice : {"0", "1", "2"}) longer.push_back(code + choice);
    }
    codes = std::move(longer);
  }
  return codes;
}

Architecture network_of(const std::string& code) {
  Architecture network;
  network.stem_width = 32;
  network.head_width = 1280;
  std::size_t at = 0;
  for (int s = 0; s < 3; ++s) {
    Stage stage{64 << s, 2, {}};
    for (int b = 0; b < stage_depths[s]; ++b) {
      const char choice = code[at++];
      const bool k5 = choice == '2';
      Operation inverted{BlockKind::inverted_residual, k5 ? 5 : 3, k5 ? 6 : 3};
      inverted.expands_input = true;
      if (choice == '0' && b > 0) continue;
      stage.blocks.push_back({choice == '0' ? Operation{BlockKind::projection, 1} : inverted, b > 0});
    }
    network.stages.push_back(stage);
  }
  return network;
}

struct Counts {
  std::int64_t params = 0, macs = 0;
  bool operator==(const Counts&) const = default;
};

// As the benchmark counts, layer by layer at 32 x 32 pixels and 10 classes; it knows nothing of our plan.
Counts counts_of(const std::string& code) {
  std::int64_t size = 32, channels = 32;
  Counts sum{3 * 9 * 32 + 2 * 32, 3 * 9 * 32 * size * size};
  std::size_t at = 0;
  for (const int depth : stage_depths) {
    for (int b = 0; b < depth; ++b) {
      const char choice = code[at++];
      const std::int64_t out = b == 0 ? 2 * channels : channels, out_size = b == 0 ? size / 2 : size;
      if (choice == '0' && b == 0) {
        sum.params += channels * out + 2 * out;
        sum.macs += channels * out * out_size * out_size;
      } else if (choice != '0') {
        const std::int64_t wide = channels * (choice == '1' ? 3 : 6), taps = choice == '1' ? 9 : 25;
        sum.params += channels * wide + wide * taps + wide * out + 2 * (wide + wide + out);
        sum.macs += channels * wide * size * size + (wide * taps + wide * out) * out_size * out_size;
      }
      channels = out;
      size = out_size;
    }
  }
  sum.params += channels * 1280 + 2 * 1280 + 10 * 1280 + 10;
  sum.macs += channels * 1280 * size * size + 10 * 1280;
  return sum;
}

TEST(NasBenchMacro, EveryNetworkIsInTheSpaceAndHasItsParametersAndMacs) {
  const SearchSpace space = macro_space();
  const Encoding encoding(space);
  std::set<std::uint64_t> hashes;
  std::set<std::vector<float>> encodings;
  for (const std::string& code : all_codes()) {
    const Architecture network = network_of(code);
    if (!hashes.insert(network.hash()).second) continue;  // its identities stand elsewhere
    ASSERT_TRUE(space.contains(network)) << code;
    const NetworkPlan plan = plan_network(network, {32, 3, 10});
    EXPECT_EQ(plan.parameters(), counts_of(code).params) << code;
    EXPECT_EQ(plan.macs(), counts_of(code).macs) << code;
    encodings.insert(encoding.encode(plan).network);
    EXPECT_EQ(Architecture::from_json(network.to_json()), network);
  }
  EXPECT_EQ(hashes.size(), 3969u);
  EXPECT_EQ(encodings.size(), 3969u);
  EXPECT_EQ(space.size(), 3969);
}

// Written down once, from the published table: the formula above is the benchmark's.
TEST(NasBenchMacro, TheCountsAreThePublishedOnes) {
  EXPECT_EQ(counts_of("00000000"), (Counts{387882, 7713280}));
  EXPECT_EQ(counts_of("02012100"), (Counts{890666, 47327744}));
  EXPECT_EQ(counts_of("22222222"), (Counts{2932586, 105660928}));
}

TEST(NasBenchMacro, MovesStayInTheSpaceAndReachAllOfIt) {
  const SearchSpace space = macro_space();
  EXPECT_EQ(space.smallest(), network_of("00000000"));
  EXPECT_EQ(space.largest(), network_of("22222222"));
  for (const Architecture& network : space.widest_networks()) EXPECT_TRUE(space.contains(network));
  std::set<std::uint64_t> sampled, walked;
  Architecture walker = space.smallest();
  for (std::uint64_t i = 0; i < 40'000; ++i) {
    Random random(1, Purpose::test, i);
    const Architecture other = space.sample(random);
    sampled.insert(other.hash());
    const Architecture child = space.crossover(walker, other, random);
    ASSERT_TRUE(space.contains(other) && space.contains(child));
    const Architecture mutant = space.mutate(walker, random);
    ASSERT_TRUE(space.contains(mutant));
    ASSERT_NE(mutant, walker);
    walker = mutant;
    walked.insert(walker.hash());
  }
  EXPECT_GT(sampled.size(), 3800u);
  EXPECT_GT(walked.size(), 3500u);
}

TEST(NasBenchMacro, ASpaceIsWrittenAndRead) {
  const test::TemporaryDirectory folder;
  const std::string path = (folder.path() / "space.toml").string();
  const std::string text = macro_space().to_toml();
  io::write_atomically(path, text);
  EXPECT_EQ(SearchSpace::open(path).to_toml(), text);
  EXPECT_NE(text.find("residual = 'always'"), std::string::npos) << text;
}

TEST(NasBenchMacro, AProjectionIsOneLayerWithoutActivation) {
  const NetworkPlan plan = plan_network(network_of("00000000"), {32, 3, 10});
  ASSERT_EQ(plan.layers.size(), 5u);
  const LayerSpec& layer = plan.layers[2];
  EXPECT_EQ(layer.name, "stage1.block0.project");
  EXPECT_EQ(layer.kernel_shape(), (Shape{128, 1, 1, 64}));
  EXPECT_EQ(layer.conv.stride, 2);
  EXPECT_EQ(layer.act, Activation::none);
  EXPECT_EQ(layer.out_size, 8);
}

// The features' depth counts blocks that compute something, as the benchmark's count of blocks does.
TEST(NasBenchMacro, AProjectionIsNoDepth) {
  const std::vector<std::string> names = structure_feature_names(3);
  const auto depths_of = [&](const std::string& code) {
    std::vector<double> depths;
    const std::vector<double> features = structure_features(network_of(code), 1, 1);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].starts_with("depth of")) depths.push_back(features[i]);
    }
    return depths;
  };
  EXPECT_EQ(depths_of("00000000"), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(depths_of("10020212"), (std::vector<double>{1, 1, 3}));
}

}  // namespace
}  // namespace adwp::nas
