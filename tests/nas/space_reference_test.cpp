// Moves in a search space, its limits and the codes of its networks, against stated values.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "nas/space/encoding.h"
#include "nas/space/search_space.h"

namespace adwp::nas {
namespace {

TEST(SpaceReference, ALimitIsTheMostThatIsAllowed) {
  const NetworkPlan plan = plan_network(SearchSpace::preset("tiny").smallest(), {});
  const std::int64_t params = plan.parameters(), macs = plan.macs();
  ASSERT_NE(params, macs);
  EXPECT_TRUE(Limits{}.admit(plan));
  EXPECT_TRUE((Limits{.max_params = params, .max_macs = macs}.admit(plan)));
  EXPECT_FALSE((Limits{.max_params = params - 1}.admit(plan)));
  EXPECT_FALSE((Limits{.max_macs = macs - 1}.admit(plan)));
}

// A choice that most draws leave as it is: a mutant still differs, each time.
TEST(SpaceReference, AMutantAlwaysDiffers) {
  SearchSpace space = SearchSpace::preset("tiny");
  for (StageSpace& stage : space.stages) stage.max_depth = 1;
  space.operations = {Operation::from_text("dense3"), Operation::from_text("separable3")};
  Random random(4, Purpose::test);
  const Architecture network = space.sample(random);
  for (int i = 0; i < 200; ++i) EXPECT_NE(space.mutate(network, random), network);
}

TEST(SpaceReference, AChildHasEachPartFromEitherParentEquallyOften) {
  SearchSpace space = SearchSpace::preset("cifar");
  Architecture a = space.smallest(), b = space.largest();
  ASSERT_NE(a.head_width, b.head_width);
  for (std::size_t s = 0; s < a.stages.size(); ++s) {
    ASSERT_NE(a.stages[s].width, b.stages[s].width);
    ASSERT_NE(a.stages[s].blocks.size(), b.stages[s].blocks.size());  // nothing is cut
  }
  Random random(5, Purpose::test);
  std::map<std::string, int> from_b;
  for (int i = 0; i < 400; ++i) {
    const Architecture child = space.crossover(a, b, random);
    from_b["head"] += child.head_width == b.head_width;
    for (std::size_t s = 0; s < a.stages.size(); ++s) {
      EXPECT_TRUE(child.stages[s] == a.stages[s] || child.stages[s] == b.stages[s]);
      from_b["stage" + std::to_string(s)] += child.stages[s] == b.stages[s];
    }
  }
  for (const auto& [part, count] : from_b) EXPECT_NEAR(count, 200, 50) << part;
}

TEST(SpaceReference, BlocksOfTwoStagesOfOneDepthAreCut) {
  SearchSpace space = SearchSpace::preset("tiny");
  space.stages.resize(1);
  space.stages[0].min_depth = 3;
  Architecture a = space.smallest(), b = a;
  for (Block& block : a.stages[0].blocks) block = {{BlockKind::dense, 3}};
  for (Block& block : b.stages[0].blocks) block = {{BlockKind::separable, 5}};
  Random random(6, Purpose::test);
  std::map<std::string, int> seen;
  for (int i = 0; i < 400; ++i) {
    std::string text;
    const Architecture child = space.crossover(a, b, random);
    for (const Block& block : child.stages[0].blocks) text += block.operation.kernel == 3 ? 'a' : 'b';
    ++seen[text];
  }
  // Behind a cut at 0, 1, 2 or 3 stand blocks of one parent, before it those of either.
  EXPECT_EQ(seen.size(), 6u);
  for (const char* text : {"aaa", "aab", "abb", "bbb", "bba", "baa"}) EXPECT_GT(seen[text], 5) << text;
}

TEST(SpaceReference, AnOperationIsWhatItsTextSays) {
  const Operation inverted = Operation::from_text("inverted5_e6_se");
  EXPECT_EQ(inverted, (Operation{BlockKind::inverted_residual, 5, 6, true}));
  EXPECT_EQ(Operation::from_text("inverted3_e1"), (Operation{BlockKind::inverted_residual, 3, 1, false}));
  EXPECT_EQ(Operation::from_text("separable7"), (Operation{BlockKind::separable, 7}));
  EXPECT_EQ(Operation::from_text("inverted3_e2_in_se"),
            (Operation{BlockKind::inverted_residual, 3, 2, true, true}));
  EXPECT_EQ(Operation::from_text("inverted3_e2_in"),
            (Operation{BlockKind::inverted_residual, 3, 2, false, true}));
  EXPECT_EQ(Operation::from_text("projection"), (Operation{BlockKind::projection, 1}));
  for (const char* text : {"dense3", "separable5", "inverted7_e4", "inverted7_e4_se", "inverted5_e3_in",
                           "inverted5_e3_in_se", "projection"}) {
    EXPECT_EQ(Operation::from_text(text).text(), text);
  }
}

// An inverted residual expands its own width, whatever comes in: 3 x 48 here, of 32 channels.
TEST(SpaceReference, AnExpansionIsOfTheBlocksWidth) {
  Architecture network;
  network.stem_width = 32;
  network.stages = {{48, 1, {Block{{BlockKind::inverted_residual, 3, 3}}}}};
  const NetworkPlan plan = plan_network(network, {8, 3, 10});
  ASSERT_EQ(plan.layers.size(), 4u);
  EXPECT_EQ(plan.layers[1].kernel_shape(), (Shape{144, 1, 1, 32}));
  EXPECT_EQ(plan.layers[2].kernel_shape(), (Shape{144, 3, 3, 1}));
  EXPECT_EQ(plan.layers[3].kernel_shape(), (Shape{48, 1, 1, 144}));
  const std::int64_t weights = 32 * 27 + 144 * 32 + 144 * 9 + 48 * 144;
  EXPECT_EQ(plan.parameters(), weights + 2 * (32 + 144 + 144 + 48) + 10 * 49);
  EXPECT_EQ(plan.macs(), 64 * weights + 480);
}

// Unless it says otherwise: then 3 x 32, and behind a concatenation 3 x (48 + 48).
TEST(SpaceReference, AnExpansionMayBeOfTheInput) {
  Architecture network;
  network.stem_width = 32;
  const Operation expands_input = Operation::from_text("inverted3_e3_in");
  network.stages = {{48, 1, {Block{expands_input}, Block{expands_input, true, Join::concat, 0}}}};
  const NetworkPlan plan = plan_network(network, {8, 3, 10});
  ASSERT_EQ(plan.layers.size(), 8u);
  EXPECT_EQ(plan.layers[1].kernel_shape(), (Shape{96, 1, 1, 32}));
  EXPECT_EQ(plan.layers[2].kernel_shape(), (Shape{96, 3, 3, 1}));
  EXPECT_EQ(plan.layers[3].kernel_shape(), (Shape{48, 1, 1, 96}));
  EXPECT_EQ(plan.layers[5].kernel_shape(), (Shape{288, 1, 1, 96}));  // behind the join's layer
  EXPECT_EQ(plan.layers[7].kernel_shape(), (Shape{48, 1, 1, 288}));
}

TEST(EncodingReference, TheSourceOfAJoinTellsNetworksApart) {
  const SearchSpace space = SearchSpace::preset("tiny");
  Architecture network = space.smallest();
  std::vector<Block>& blocks = network.stages[1].blocks;
  blocks.assign(3, blocks[0]);
  std::set<std::vector<float>> codes;
  for (const Join join : {Join::add, Join::concat}) {
    for (const int from : {0, 1}) {
      blocks[2].join = join;
      blocks[2].from = from;
      codes.insert(Encoding(space).encode(plan_network(network, {})).network);
    }
  }
  EXPECT_EQ(codes.size(), 4u);
}

// Entries by their names: the code of one layer, written down.
TEST(EncodingReference, ALayersCodeSaysWhatTheLayerIs) {
  SearchSpace space = SearchSpace::preset("tiny");
  Architecture network;
  network.stem_width = 16;
  network.stem_stride = 2;
  const Block dense{{BlockKind::dense, 3}};
  Block last{{BlockKind::inverted_residual, 5, 3}, true};
  last.join = Join::concat;
  last.from = 1;
  network.stages = {{16, 1, {dense}}, {32, 2, {dense, dense, last}}, {64, 2, {dense}}};
  const NetworkPlan plan = plan_network(network, {});
  const Encoding encoding(space);
  const NetworkCode code = encoding.encode(plan);
  const std::vector<std::string> names = encoding.layer_entry_names();
  const auto entries_of = [&](const std::string& layer) {
    std::map<std::string, float> entries;
    for (std::size_t l = 0; l < plan.layers.size(); ++l) {
      if (plan.layers[l].name != layer) continue;
      for (std::size_t e = 0; e < names.size(); ++e) {
        if (const float value = code.layers[l * names.size() + e]; value != 0) entries[names[e]] = value;
      }
    }
    return entries;
  };
  const auto expect_code = [&](const std::string& layer, const std::map<std::string, double>& expected) {
    const std::map<std::string, float> found = entries_of(layer);
    for (const auto& [name, value] : found) {
      ASSERT_TRUE(expected.contains(name)) << layer << ": " << name << " is " << value;
      EXPECT_NEAR(value, expected.at(name), 1e-6) << layer << ": " << name;
    }
    EXPECT_EQ(found.size(), expected.size()) << layer;
  };
  // A block's last layer but one: of the second stage, third of three blocks, operation 6 of the space.
  expect_code("stage1.block2.depthwise", {{"stage=1", 1},
                                          {"block=2", 1},
                                          {"depth=2", 1},
                                          {"operation=6", 1},
                                          {"role=2", 1},
                                          {"join=2", 1},
                                          {"out channels / widest", 96 / 48.0},
                                          {"in channels / widest", 96 / 48.0},
                                          {"log out channels", std::log2(96.0) / 4 - 1.25},
                                          {"log in channels", std::log2(96.0) / 4 - 1.25},
                                          {"kernel / 7", 5 / 7.0},
                                          {"residual", 1},
                                          {"from / deepest", 1 / 3.0},
                                          {"expansion / 6", 0.5}});
  expect_code("stage2.block0.dense", {{"stage=2", 1},
                                      {"block=0", 1},
                                      {"depth=0", 1},
                                      {"operation=0", 1},
                                      {"role=1", 1},
                                      {"join=0", 1},
                                      {"out channels / widest", 64 / 96.0},
                                      {"in channels / widest", 32 / 96.0},
                                      {"log out channels", 6 / 4.0 - 1.25},
                                      {"kernel / 7", 3 / 7.0},
                                      {"stride - 1", 1},
                                      {"expansion / 6", 1 / 6.0}});
}

}  // namespace
}  // namespace adwp::nas
