#include "nas/space/search_space.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "framework/core/error.h"
#include "nas/space/encoding.h"
#include "tests/support/temporary_directory.h"

namespace adwp::nas {
namespace {

SearchSpace small_space() {
  SearchSpace space;
  space.name = "small";
  space.stem_width = 8;
  space.stages = {{{8, 16}, 1, 2, 1}, {{16}, 1, 1, 2}};
  space.operations = {Operation::from_text("dense3"), Operation::from_text("inverted5_e3_se")};
  space.joins = {Join::none, Join::add};
  space.head_widths = {0, 32};
  space.validate();
  return space;
}

// All of a small space, by sampling it often.
std::map<std::string, Architecture> all_of(const SearchSpace& space) {
  std::map<std::string, Architecture> seen;
  for (std::uint64_t i = 0; i < 6000; ++i) {
    Random random(1, Purpose::test, i);
    const Architecture a = space.sample(random);
    seen.emplace(a.to_json(), a);
  }
  return seen;
}

TEST(SearchSpace, SamplingReachesTheWholeOfASmallSpace) {
  const SearchSpace space = small_space();
  // Stage 0: 2 widths x (2 operations + 2 * 2 * 2 residuals * (none, or add from 0)); stage 1: 2;
  // heads: 2.
  EXPECT_EQ(space.size(), 2 * (2 + 2 * 2 * 2 * 2) * 2 * 2);
  EXPECT_EQ(all_of(space).size(), space.size());
}

TEST(SearchSpace, WhatItMakesBelongsToIt) {
  for (const char* preset : {"tiny", "cifar"}) {
    const SearchSpace space = SearchSpace::preset(preset);
    EXPECT_TRUE(space.contains(space.largest()));
    EXPECT_TRUE(space.contains(space.smallest()));
    for (const Architecture& a : space.widest_networks()) EXPECT_TRUE(space.contains(a));
    for (std::uint64_t i = 0; i < 300; ++i) {
      Random random(2, Purpose::test, i);
      const Architecture a = space.sample(random), b = space.sample(random);
      const Architecture mutant = space.mutate(a, random), child = space.crossover(a, b, random);
      EXPECT_TRUE(space.contains(a));
      EXPECT_TRUE(space.contains(mutant));
      EXPECT_TRUE(space.contains(child));
      EXPECT_NE(mutant, a);
      const std::int64_t macs = plan_network(a, {}).macs();
      EXPECT_LE(macs, plan_network(space.largest(), {}).macs());
      EXPECT_GE(macs, plan_network(space.smallest(), {}).macs());
    }
  }
  EXPECT_FALSE(small_space().contains(SearchSpace::preset("tiny").smallest()));
}

TEST(SearchSpace, AShallowPartHoldsEachDepthForAnEqualPartOfTheWay) {
  SearchSpace space = small_space();
  space.stages[0].min_depth = 2;
  space.stages[0].max_depth = 5;
  const int expected[] = {2, 2, 3, 3, 4, 4, 5, 5, 5};
  for (int i = 0; i <= 8; ++i) {
    const SearchSpace part = space.shallow(i / 8.0);
    EXPECT_EQ(part.stages[0].max_depth, expected[i]) << i;
    EXPECT_EQ(part.stages[0].min_depth, 2);
    EXPECT_EQ(part.stages[1].max_depth, 1);
    Random random(3, Purpose::test, i);
    EXPECT_TRUE(space.contains(part.sample(random)));
  }
}

TEST(SearchSpace, LimitsAreKeptOrRefusedWhenImpossible) {
  const SearchSpace space = SearchSpace::preset("tiny");
  Random random(3, Purpose::test);
  const Limits limits{.max_params = 60000, .max_macs = 3000000};
  for (int i = 0; i < 30; ++i) {
    const NetworkPlan plan = plan_network(space.sample(random, limits, {}), {});
    EXPECT_LE(plan.parameters(), 60000);
    EXPECT_LE(plan.macs(), 3000000);
  }
  try {
    space.sample(random, {.max_params = 10}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::usage);
    EXPECT_NE(std::string(error.what()).find("param"), std::string::npos) << error.what();
  }
}

TEST(SearchSpace, TomlRoundTrip) {
  const test::TemporaryDirectory folder;
  const std::string path = (folder.path() / "space.toml").string();
  for (const char* preset : {"tiny", "cifar"}) {
    const SearchSpace space = SearchSpace::preset(preset);
    std::ofstream(path) << space.to_toml();
    const SearchSpace again = SearchSpace::open(path);
    EXPECT_EQ(again.to_toml(), space.to_toml());
    EXPECT_EQ(again.size(), space.size());
  }
}

TEST(SearchSpace, RefusesBadToml) {
  const test::TemporaryDirectory folder;
  const std::string path = (folder.path() / "space.toml").string();
  const std::string good = SearchSpace::preset("tiny").to_toml();
  auto with = [&](const std::string& what, const std::string& by) {
    std::string text = good;
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), by);
  };
  const auto list = good.find("operations");
  const std::string operations = good.substr(list, good.find(']', list) + 1 - list);
  for (const std::string& text :
       {std::string("= nonsense"), std::string(), with("stem_width", "stem_wide"),
        with("'dense3'", "'dense4'"), with("stem_width = 16", "stem_width = 'wide'"),
        with("stem_width = 16", "stem_width = 1000000000"), with("[ 1, 3 ]", "[ 3, 1 ]"),
        with("[ 1, 3 ]", "[ 0, 3 ]"), with("'concat'", "'glue'"),
        with("activation = 'relu'", "activation = 'tanh'"), with("residual = true", "residual = 'often'"),
        with("residual = true", "residual = 1"), with(operations, "operations = [ 'projection' ]")}) {
    std::ofstream(path) << text;
    try {
      SearchSpace::open(path);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::usage) << error.what();
    }
  }
  EXPECT_THROW(SearchSpace::open("no such file.toml"), Error);
}

TEST(Encoding, TellsEveryTwoArchitecturesApart) {
  const SearchSpace space = small_space();
  const Encoding encoding(space);
  std::set<std::vector<float>> network_codes, whole_codes;
  const std::map<std::string, Architecture> all = all_of(space);
  for (const auto& [text, a] : all) {
    const NetworkPlan plan = plan_network(a, {});
    const NetworkCode code = encoding.encode(plan);
    EXPECT_EQ(static_cast<std::int64_t>(code.network.size()), encoding.network_entries());
    EXPECT_EQ(code.layer_entries, encoding.layer_entries());
    EXPECT_EQ(code.layers.size(), plan.layers.size() * static_cast<std::size_t>(code.layer_entries));
    // Channel counts stand relative to the widest stage; an expansion makes them up to six times that.
    for (float v : code.layers) EXPECT_LE(std::abs(v), 6.0f);
    network_codes.insert(code.network);
  }
  EXPECT_EQ(network_codes.size(), all.size());
}

TEST(Encoding, NamesEveryEntryOnceAndRefusesStrangers) {
  const Encoding encoding(SearchSpace::preset("cifar"));
  for (const auto& names : {encoding.layer_entry_names(), encoding.network_entry_names()}) {
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  }
  EXPECT_THROW(encoding.encode(plan_network(SearchSpace::preset("tiny").smallest(), {})), Error);
}

}  // namespace
}  // namespace adwp::nas
