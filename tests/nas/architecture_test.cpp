#include "nas/space/architecture.h"

#include <gtest/gtest.h>

#include <set>

#include "framework/core/error.h"
#include "nas/space/network_plan.h"
#include "nas/space/search_space.h"

namespace adwp::nas {
namespace {

Architecture example() {
  Architecture a;
  a.stem_width = 16;
  a.stem_stride = 2;
  a.head_width = 64;
  a.activation = Activation::hard_swish;
  a.stages = {{8, 1, {{Operation::from_text("dense3")}}},
              {24,
               2,
               {{Operation::from_text("separable5")},
                {.operation = Operation::from_text("inverted3_e3_se"),
                 .residual = true,
                 .join = Join::add,
                 .from = 0},
                {.operation = Operation::from_text("dense3"), .join = Join::concat, .from = 1}}}};
  return a;
}

TEST(Architecture, JsonRoundTripKeepsEverything) {
  const Architecture a = example();
  EXPECT_EQ(Architecture::from_json(a.to_json()), a);
  for (const char* preset : {"tiny", "cifar"}) {
    const SearchSpace space = SearchSpace::preset(preset);
    for (std::uint64_t i = 0; i < 50; ++i) {
      Random random(1, Purpose::test, i);
      const Architecture sampled = space.sample(random);
      EXPECT_EQ(Architecture::from_json(sampled.to_json()), sampled);
    }
  }
}

TEST(Architecture, HashIsStableAndTellsApart) {
  EXPECT_EQ(example().hash(), example().hash());
  // Written down once: result files of earlier versions name networks by it.
  EXPECT_EQ(example().id(), "1cf6101f9a902afb");
  std::set<std::uint64_t> hashes;
  const SearchSpace space = SearchSpace::preset("tiny");
  std::set<std::string> texts;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    Random random(2, Purpose::test, i);
    const Architecture a = space.sample(random);
    texts.insert(a.to_json());
    hashes.insert(a.hash());
  }
  EXPECT_EQ(hashes.size(), texts.size());
}

// Files from before it could be said do not say it; their hashes stand.
TEST(Architecture, AnExpansionOfTheInputIsSaidOnlyWhereItIs) {
  Architecture a = example();
  EXPECT_EQ(a.to_json().find("expands_input"), std::string::npos);
  a.stages[1].blocks[1].operation.expands_input = true;
  EXPECT_EQ(Architecture::from_json(a.to_json()), a);
  EXPECT_NE(a.hash(), example().hash());
  a = example();
  a.stages[1].blocks[0] = {Operation::from_text("projection")};
  EXPECT_EQ(Architecture::from_json(a.to_json()), a);
}

TEST(Architecture, TheLargestIsReadAndAMillionKeysAreNot) {
  Architecture largest = example();
  const std::vector<Block> blocks(64, Block{Operation::from_text("inverted3_e6")});
  largest.stages.assign(8, Stage{4096, 2, blocks});
  EXPECT_EQ(Architecture::from_json(largest.to_json()), largest);
  std::string keys = "{";  // each would be compared with all before it
  for (int i = 0; i < 100'000; ++i) keys += std::to_string(i).insert(0, "\"") + "\":0,";
  try {
    Architecture::from_json(keys + "\"version\":1}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("not an architecture"), std::string::npos) << error.what();
  }
}

// Replaces the first occurrence.
std::string with(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(Architecture, NamesThePathOfWhatIsWrong) {
  const std::string good = example().to_json();
  const std::pair<std::string, const char*> bad[] = {
      {with(good, "\"kernel\":3", "\"kernel\":4"), "stages[0].blocks[0].kernel"},
      {with(good, "\"kernel\":3", "\"kernel\":-3"), "stages[0].blocks[0].kernel"},
      {with(good, "\"kernel\":3", "\"kernel\":3.5"), "stages[0].blocks[0].kernel"},
      {with(good, "\"kernel\":3", "\"kernel\":1e300"), "stages[0].blocks[0].kernel"},
      {with(good, "\"kernel\":3", "\"kernel\":99999999999999999999"), "stages[0].blocks[0].kernel"},
      {with(good, "\"kernel\":3", "\"kernels\":3"), "stages[0].blocks[0].kernel"},
      {with(good, "\"width\":24", "\"width\":1000000000"), "stages[1].width"},
      {with(good, "\"width\":24", "\"width\":0"), "stages[1].width"},
      {with(good, "\"width\":24", "\"width\":24,\"depth\":3"), "stages[1].depth"},
      {with(good, "\"join\":\"add\"", "\"join\":\"multiply\""), "stages[1].blocks[1].join"},
      {with(good, "\"from\":1", "\"from\":2"), "stages[1].blocks[2].from"},
      {with(good, "\"version\":1", "\"version\":2"), "version"},
      {with(good, "\"expansion\":3", "\"expansion\":7"), "stages[1].blocks[1].expansion"},
      {with(good, "\"squeeze_excite\":false", "\"squeeze_excite\":true"),
       "stages[0].blocks[0].squeeze_excite"},
      {with(good, "\"expansion\":1", "\"expands_input\":true,\"expansion\":1"),
       "stages[0].blocks[0].expands_input"},
      {with(good, "\"expansion\":3", "\"expands_input\":1,\"expansion\":3"),
       "stages[1].blocks[1].expands_input"},
      {with(good, "\"kernel\":3", "\"kernel\":1"), "stages[0].blocks[0].kernel"},
      {with(good, "\"kind\":\"dense\"", "\"kind\":\"projection\""), "stages[0].blocks[0].kernel"},
      {with(good, "\"kind\":\"inverted_residual\",\"kernel\":3", "\"kind\":\"projection\",\"kernel\":1"),
       "stages[1].blocks[1].kind"},
      {with(good, "\"residual\":false", "\"residual\":true"), "stages[0].blocks[0].residual"},
      {"{}", "version"},
      {"[]", "["},
      {"", "JSON"},
      {"{", "JSON"},
      {"null", "["},
      {std::string(100000, '['), "architecture"},
      {std::string(10'000'000, ' '), "architecture"},
  };
  for (const auto& [text, path] : bad) {
    try {
      Architecture::from_json(text);
      FAIL() << text.substr(0, 200);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
      EXPECT_EQ(error.fault(), Fault::usage);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
}

TEST(NetworkPlan, CountsParametersAndMacs) {
  // By hand, at 32 x 32 x 3 and 10 classes; the stem halves to 16 x 16, stage 1 to 8 x 8.
  const NetworkPlan plan = plan_network(example(), {32, 3, 10});
  auto conv = [](std::int64_t out, std::int64_t fan_in) { return out * fan_in + 2 * out; };
  const std::int64_t squeeze = 72 * 24 + 24 + 24 * 72 + 72;     // a quarter of 72, to a multiple of 8
  const std::int64_t params = conv(16, 27) + conv(8, 9 * 16) +  // stem, dense
                              conv(8, 25) + conv(24, 8) +       // separable
                              conv(24, 8) +                     // join: 8 channels to 24
                              conv(72, 24) + conv(72, 9) + squeeze + conv(24, 72) +
                              conv(24, 9 * 48) +       // dense on a concatenation
                              conv(64, 24) + 10 * 65;  // head, classifier
  EXPECT_EQ(plan.parameters(), params);
  const std::int64_t macs = 256 * (16 * 27 + 8 * 9 * 16) +
                            64 * (8 * 25 + 24 * 8 + 24 * 8 + 72 * 24 + 72 * 9 + 24 * 72) + 2 * 72 * 24 +
                            64 * (24 * 9 * 48 + 64 * 24) + 640;
  EXPECT_EQ(plan.macs(), macs);
}

TEST(NetworkPlan, ValuesAreReadBeforeTheyAreLetGo) {
  const NetworkPlan plan = plan_network(example(), {32, 3, 10});
  std::vector<bool> made(plan.steps.size() + 1, false);
  made[0] = true;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    for (int input : plan.steps[s].inputs) {
      EXPECT_TRUE(made[static_cast<std::size_t>(input)]);
      EXPECT_GE(plan.last_use[static_cast<std::size_t>(input)], static_cast<int>(s));
    }
    made[static_cast<std::size_t>(plan.steps[s].output)] = true;
  }
}

TEST(NetworkPlan, RefusesATaskThatNoNetworkFits) {
  EXPECT_THROW(plan_network(example(), {0, 3, 10}), Error);
  EXPECT_THROW(plan_network(example(), {32, 0, 10}), Error);
  EXPECT_THROW(plan_network(example(), {32, 3, 0}), Error);
  EXPECT_THROW(plan_network(example(), {1 << 20, 3, 10}), Error);
  EXPECT_NO_THROW(plan_network(example(), {1, 3, 10}));
}

}  // namespace
}  // namespace adwp::nas
