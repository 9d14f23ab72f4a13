#include <gtest/gtest.h>

#include "apps/report/run_files.h"
#include "framework/io/atomic_file.h"
#include "nas/store/run_store.h"
#include "tests/support/temporary_directory.h"

namespace adwp::apps {
namespace {

TEST(ReportReference, TheBestSoFarNeverFalls) {
  const test::TemporaryDirectory folder;
  io::write_atomically((folder.path() / "config.toml").string(), std::string_view("version = \"0.1.0\"\n"));
  nas::RunStore store((folder.path() / "search.db").string());
  const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
  const double scores[3][2] = {{1, 3}, {2, 0}, {1, 4}};
  nas::SearchState state;
  Random random(1, Purpose::test);
  for (int generation = 0; generation < 3; ++generation) {
    for (double score : scores[generation]) {
      nas::Candidate c;
      c.architecture = space.sample(random);
      c.hash = c.architecture.hash();
      c.generation = generation;
      c.score = score;
      state.evaluated.push_back(c);
    }
    ++state.next_generation;
    store.save_generation(state, {});
  }
  const nlohmann::ordered_json found = search_data(RunFiles(folder.path()), 1 << 20)["generations"];
  ASSERT_EQ(found.size(), 3u);
  const double best[] = {3, 2, 4}, so_far[] = {3, 3, 4}, mean[] = {2, 1, 2.5};
  for (std::size_t g = 0; g < 3; ++g) {
    EXPECT_EQ(found[g]["candidates"], 2);
    EXPECT_EQ(found[g]["best"], best[g]);
    EXPECT_EQ(found[g]["best_so_far"], so_far[g]);
    EXPECT_EQ(found[g]["mean"], mean[g]);
  }
}

}  // namespace
}  // namespace adwp::apps
