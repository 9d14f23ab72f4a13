// What a search spends when it has a budget, and what it does without predictions.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/io/atomic_file.h"
#include "nas/store/database.h"
#include "nas/store/run_store.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/system/tiny_search.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;

Arguments search(const fs::path& out, const Arguments& more) {
  Arguments arguments = tiny_search("synthetic:250?size=8", out);
  add(arguments,
      {"--space",        "tiny", "--hyper-width", "16", "--population",      "6", "--generations", "1",
       "--score-images", "25",   "--rank-epochs", "1",  "--finalist-epochs", "4", "--halvings",    "1",
       "--seed",         "5",    "--device",      "cpu"});
  add(arguments, more);
  return arguments;
}

// Trainings of one network for one epoch that the rank sample and the finalists took.
std::int64_t trained_epochs(const fs::path& run) {
  const nas::Database database((run / "search.db").string());
  return database.number("SELECT count(*) FROM rank_sample") +  // of one epoch each
         database.number(
             "SELECT coalesce(sum(CASE epochs WHEN 4 THEN 4 - 1 ELSE epochs END), 0) FROM finalists");
}

TEST(Budget, IsSpentAndNotExceeded) {
  const TemporaryDirectory place;
  const fs::path out = place.path() / "run";
  const Finished finished = run(search(out, {"--budget-epochs", "40"}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  const nlohmann::json result = read_json(out / "result.json");
  EXPECT_EQ(result["budget_epochs"], 40);
  EXPECT_EQ(result["hypernetwork"]["epochs"], 6) << "a quarter, at one and a half an epoch";
  // 40 - 9 for the HyperNetwork, and 12 candidates on 25 of 200 images at a third: 30.5, 15.25 for each rung.
  EXPECT_EQ(result["rank_correlation"]["sample"], 7) << "half of 15 networks, each an epoch";
  EXPECT_EQ(trained_epochs(out), 15 + 5 * 3) << "and five for three epochs more";
}

TEST(Budget, AnEnsembleSharesItsQuarter) {
  const TemporaryDirectory place;
  const fs::path out = place.path() / "run";
  const Finished finished = run(search(out, {"--budget-epochs", "40", "--hypernetworks", "2"}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  const nlohmann::json result = read_json(out / "result.json");
  EXPECT_EQ(result["hypernetwork"]["members"], 2);
  EXPECT_EQ(result["hypernetwork"]["epochs"], 3) << "each";
  EXPECT_EQ(result["hypernetwork"]["images_seen"], 2 * 3 * 192) << "batches of 64 of 200 images";
}

TEST(Budget, WithoutPredictionsAllOfItTrains) {
  const TemporaryDirectory place;
  const fs::path out = place.path() / "run";
  const Finished finished = run(search(out, {"--budget-epochs", "40", "--hyper-epochs", "0"}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(trained_epochs(out), 20 + 6 * 3);
  const nlohmann::json result = read_json(out / "result.json");
  EXPECT_EQ(result["hypernetwork"]["epochs"], 0);
  EXPECT_TRUE(result["search"]["mean_predicted_accuracy"].is_null());
  EXPECT_TRUE(result["finalists"][0]["predicted_loss"].is_null());
  EXPECT_GT(result["finalists"][0]["trained_accuracy"], 0);
  EXPECT_TRUE(result["rank_correlation"]["kendall_tau"].is_null());
  EXPECT_FALSE(result["rank_correlation"]["structure"]["kendall_tau"].is_null());
  const std::string kind = result["search"]["score"];
  EXPECT_TRUE(kind == "structure" || kind == "size") << kind;

  const fs::path bare = place.path() / "bare";
  const Finished sized = run(search(bare, {"--hyper-epochs", "0", "--rank-sample", "0", "--finalists", "1"}));
  ASSERT_EQ(sized.status, 0) << sized.err;
  EXPECT_EQ(read_json(bare / "result.json")["search"]["score"], "size");
}

TEST(Budget, InMinutesIsMeasuredOnceAndKept) {
  const TemporaryDirectory place;
  const fs::path out = place.path() / "run";
  const Arguments arguments = search(out, {"--budget-minutes", "0.02", "--hyper-epochs", "0"});
  Finished finished = run(arguments);
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_NE(finished.err.find("an epoch of a network takes about"), std::string::npos) << finished.err;
  const nlohmann::json result = read_json(out / "result.json");
  ASSERT_GT(result["budget_epochs"], 0);

  // Another number, as if that machine had measured otherwise, is what a resumed run goes on with.
  std::string config = bytes_of(out / "config.toml");
  const std::string found = "found-budget-epochs = \"";
  const std::size_t at = config.find(found);
  ASSERT_NE(at, std::string::npos);
  config.replace(at, config.find('\n', at) - at, found + "30\"");
  const fs::path other = place.path() / "other";
  fs::create_directories(other / "checkpoints");
  io::write_atomically((other / "config.toml").string(), config);
  Arguments resumed = arguments;
  add(resumed, {"--out", other.string()});
  resumed.push_back("--resume");
  finished = run(resumed);
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(read_json(other / "result.json")["budget_epochs"], 30);
  EXPECT_EQ(trained_epochs(other), 15 + 5 * 3);
}

TEST(Budget, ThatCannotHoldATrainingIsRefused) {
  const TemporaryDirectory place;
  const Finished small = run(search(place.path() / "small", {"--budget-epochs", "7"}));
  EXPECT_EQ(small.status, 2);
  EXPECT_NE(small.err.find("[budget] too small, got 7 epochs"), std::string::npos) << small.err;
  const Finished both =
      run(search(place.path() / "both", {"--budget-epochs", "90", "--budget-minutes", "1"}));
  EXPECT_EQ(both.status, 2);
  EXPECT_NE(both.err.find("expected one of them"), std::string::npos) << both.err;
}

TEST(Limits, HoldForEveryNetworkThatIsTrained) {
  const TemporaryDirectory place;
  const fs::path out = place.path() / "run";
  const Finished finished = run(search(out, {"--max-macs", "300000", "--rank-sample", "12"}));
  ASSERT_EQ(finished.status, 0) << finished.err;
  const nas::Database database((out / "search.db").string());
  EXPECT_EQ(database.number("SELECT count(*) FROM rank_sample"), 12);
  EXPECT_LE(database.number("SELECT max(macs) FROM rank_sample"), 300000);
  EXPECT_LE(database.number("SELECT max(macs) FROM candidates"), 300000);
}

}  // namespace
}  // namespace adwp::test
