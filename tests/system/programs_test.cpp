// The programs as a user meets them: a tiny search end to end, a second one with the same seed, the
// training of what it found.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/io/atomic_file.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/system/tiny_search.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::set<std::string> keys(const Json& object) {
  std::set<std::string> names;
  for (const auto& item : object.items()) names.insert(item.key());
  return names;
}

// Of a file in /proc, which has no size.
std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_keys(const Json& object, const std::set<std::string>& wanted) {
  for (const std::string& key : wanted) EXPECT_TRUE(object.contains(key)) << key;
  EXPECT_FALSE(keys(object).empty());
}

TEST(Programs, ATinySearchWritesEverythingItPromises) {
  const TemporaryDirectory place;
  const fs::path out = place.path() / "run";
  const Finished search = run(tiny_search("synthetic:300?size=16", out));
  ASSERT_EQ(search.status, 0) << search.err;
  for (const char* heading : {"Pareto front", "Finalists", "agreement with trained accuracy", "best.json"}) {
    EXPECT_NE(search.out.find(heading), std::string::npos) << heading;
  }
  for (const char* file : {"config.toml", "log.jsonl", "result.json", "report.html", "best.json", "search.db",
                           "checkpoints/hypernetwork.safetensors"}) {
    EXPECT_TRUE(fs::exists(out / file)) << file;
  }
  const Json result = read_json(out / "result.json");
  expect_keys(result, {"version", "device", "dataset", "seed", "space", "hypernetwork", "search", "pareto",
                       "finalists", "rank_correlation", "arena", "seconds"});
  expect_keys(result["dataset"], {"name", "train", "validation", "test", "classes", "image"});
  expect_keys(result["hypernetwork"], {"epochs", "seconds", "images_seen", "final_loss"});
  expect_keys(result["search"], {"strategy", "evaluated", "seconds", "candidates_per_minute"});
  expect_keys(result["rank_correlation"], {"sample", "score", "structure", "structure_and_prediction",
                                           "kendall_tau", "spearman_rho", "precision_at_10", "baselines"});
  expect_keys(result["rank_correlation"]["baselines"], {"params", "macs", "one_epoch"});
  expect_keys(result["arena"], {"bytes", "peak_bytes"});
  EXPECT_EQ(result["dataset"]["train"], 240);
  EXPECT_EQ(result["dataset"]["validation"], 60);
  EXPECT_TRUE(result["dataset"]["test"].is_null()) << "a search must not read the test split";
  EXPECT_EQ(result["hypernetwork"]["images_seen"], 7 * 32) << "batches of a rest are left out";
  EXPECT_EQ(result["search"]["evaluated"], 12);
  EXPECT_LE(result["arena"]["peak_bytes"], result["arena"]["bytes"]);
  ASSERT_FALSE(result["pareto"].empty());
  ASSERT_EQ(result["finalists"].size(), 2u);
  EXPECT_EQ(read_json(out / "best.json"), result["finalists"][0]["architecture"]);
  EXPECT_GE(result["finalists"][0]["trained_accuracy"], result["finalists"][1]["trained_accuracy"]);
  for (const Json& candidate : result["pareto"]) {
    expect_keys(candidate, {"architecture", "params", "macs", "predicted_accuracy", "predicted_loss"});
  }
}

TEST(Programs, TheSameSeedGivesTheSameResult) {
  const TemporaryDirectory place;
  for (const char* name : {"a", "b"}) {
    const Finished search = run(tiny_search("synthetic:300?size=16", place.path() / name));
    ASSERT_EQ(search.status, 0) << search.err;
  }
  Arguments other = tiny_search("synthetic:300?size=16", place.path() / "c");
  add(other, {"--seed", "1"});
  ASSERT_EQ(run(other).status, 0);
  const Json a = without_times(read_json(place.path() / "a/result.json"));
  EXPECT_EQ(a, without_times(read_json(place.path() / "b/result.json")));
  EXPECT_NE(a, without_times(read_json(place.path() / "c/result.json")));
  const std::string checkpoint = "checkpoints/hypernetwork.safetensors";
  EXPECT_EQ(bytes_of(place.path() / "a" / checkpoint), bytes_of(place.path() / "b" / checkpoint));
}

TEST(Programs, LimitsHoldForEveryCandidate) {
  const TemporaryDirectory place;
  Arguments search = tiny_search("synthetic:300?size=16", place.path() / "run");
  add(search, {"--max-params", "60000", "--max-macs", "1500000", "--finalists", "0", "--rank-sample", "0",
               "--strategy", "random"});
  const Finished finished = run(search);
  ASSERT_EQ(finished.status, 0) << finished.err;
  const Json result = read_json(place.path() / "run/result.json");
  EXPECT_EQ(result["search"]["strategy"], "random");
  EXPECT_TRUE(result["finalists"].empty());
  EXPECT_EQ(result["rank_correlation"]["sample"], 0);
  for (const Json& candidate : result["pareto"]) {
    EXPECT_LE(candidate["params"], 60000);
    EXPECT_LE(candidate["macs"], 1500000);
  }
}

TEST(Programs, LatenciesAreMeasuredOnceAndRepeatASearchToTheBit) {
  const TemporaryDirectory place;
  Arguments search = tiny_search("synthetic:300?size=16", place.path() / "measured");
  add(search, {"--finalists", "0", "--rank-sample", "0", "--hyper-epochs", "1", "--population", "6",
               "--max-latency-us", "1e8"});
  const Finished measured = run(search);
  ASSERT_EQ(measured.status, 0) << measured.err;
  const Json result = read_json(place.path() / "measured/result.json");
  for (const Json& candidate : result["pareto"]) {
    EXPECT_GT(candidate["latency_us"], 0);
    EXPECT_GT(candidate["latency_batch_us"], 0);
  }
  EXPECT_NE(measured.out.find("latency"), std::string::npos);
  add(search, {"--latencies", (place.path() / "measured/search.db").string(), "--out",
               (place.path() / "repeated").string()});
  const Finished repeated = run(search);
  ASSERT_EQ(repeated.status, 0) << repeated.err;
  EXPECT_EQ(without_times(read_json(place.path() / "repeated/result.json")), without_times(result));
  add(search, {"--data", "synthetic:300?size=8", "--out", (place.path() / "smaller").string()});
  const Finished smaller = run(search);
  EXPECT_EQ(smaller.status, 2);
  EXPECT_NE(smaller.err.find("has none for images of 8 x 8"), std::string::npos) << smaller.err;
  add(search, {"--data", "synthetic:300?size=16"});

  add(search, {"--max-latency-us", "0.001", "--out", (place.path() / "impossible").string()});
  const Finished impossible = run(search);
  EXPECT_EQ(impossible.status, 2);
  EXPECT_NE(impossible.err.find("no network of the space is fast enough"), std::string::npos)
      << impossible.err;
  // It was wrong use: a corrected one may have the directory.
  add(search, {"--max-latency-us", "1e8"});
  EXPECT_EQ(run(search).status, 0);
}

// A space of one width and two operations, so small that every CUDA thread may be a fiber.
constexpr const char* micro_space = R"(name = "micro"
stem_width = 8
stem_stride = 2
operations = ["dense3", "separable3"]
joins = ["none"]
residual = true
head_widths = [0]
activation = "relu"
[[stage]]
widths = [8]
depth = [1, 2]
stride = 1
)";

TEST(Programs, ASearchOnTheEmulatedDeviceAgreesWithTheCpu) {
  const TemporaryDirectory place;
  io::write_atomically((place.path() / "micro.toml").string(), micro_space);
  double loss[2] = {};
  const char* devices[] = {"cpu", "emulated"};
  for (int i = 0; i < 2; ++i) {
    const fs::path out = place.path() / devices[i];
    Arguments search = tiny_search("synthetic:200?size=8", out);
    add(search, {"--space", (place.path() / "micro.toml").string(), "--device", devices[i], "--batch", "16",
                 "--hyper-width", "16", "--population", "2", "--generations", "1", "--rank-sample", "2"});
    const Finished finished = run(search);
    if (i == 0 && finished.err.find("[device]") != std::string::npos) GTEST_SKIP() << "no device cpu here";
    ASSERT_EQ(finished.status, 0) << finished.err;
    loss[i] = read_json(out / "result.json")["hypernetwork"]["final_loss"];
  }
  EXPECT_NEAR(loss[1] / loss[0], 1, 1e-3);
}

// Predicted weights must say far more than chance (0.1), and training must reach what this problem
// allows.
TEST(Programs, PredictionBeatsChanceAndTheChosenNetworkLearns) {
  const TemporaryDirectory place;
  const fs::path out = place.path() / "run";
  Arguments search = tiny_search("synthetic:4000?size=16", out);
  add(search, {"--hyper-epochs", "18", "--rank-sample", "0", "--population", "12", "--finalists", "1"});
  const Finished found = run(search);
  ASSERT_EQ(found.status, 0) << found.err;
  EXPECT_GT(read_json(out / "result.json")["search"]["mean_predicted_accuracy"], 0.25);

  const fs::path net = place.path() / "net";
  const Finished trained =
      run({ADWP_TRAIN, "--architecture", (out / "best.json").string(), "--data", "synthetic:4000?size=16",
           "--out", net.string(), "--epochs", "8", "--validation", "0.1"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  const Json result = read_json(net / "result.json");
  expect_keys(result, {"version", "device", "dataset", "seed", "architecture", "params", "macs", "epochs",
                       "seconds", "images_per_second", "train_loss", "validation_accuracy", "test_accuracy",
                       "test_error", "arena"});
  EXPECT_GT(result["test_accuracy"], 0.85);
  EXPECT_NEAR(result["test_accuracy"].get<double>() + result["test_error"].get<double>(), 1, 1e-12);
  EXPECT_TRUE(fs::exists(net / "report.html"));
  double hits = 0;
  const Json test = read_json(net / "test.json");
  for (const Json& entry : test["confusion"]) hits += entry[0] == entry[1] ? entry[2].get<double>() : 0;
  EXPECT_NEAR(hits / test["images"].get<double>(), result["test_accuracy"], 1e-6) << "another evaluation";
}

// As `ps`, `top` and `killall` know it, also after it has started itself again (apps/common/main.cpp).
TEST(Programs, AProgramKeepsItsName) {
  unsetenv("GOMP_SPINCOUNT");  // else it does not start again
  const TemporaryDirectory place;
  Process search(tiny_search("synthetic:300?size=16", place.path() / "run"));
  ASSERT_TRUE(search.wait_for("HyperNetwork"));
  const fs::path kernel = fs::path("/proc") / std::to_string(search.id());
  EXPECT_EQ(text_of(kernel / "comm"), "search\n");
  EXPECT_NE(text_of(kernel / "environ").find("GOMP_SPINCOUNT=10000"), std::string::npos)
      << "not started again";
}

// A program that cannot start itself again goes on without.
TEST(Programs, AProgramWhoseFileIsGoneRunsOn) {
  unsetenv("GOMP_SPINCOUNT");
  const TemporaryDirectory place;
  const fs::path copy = place.path() / "vanishing";
  fs::copy_file(ADWP_SEARCH, copy);
  const std::string script =
      "exec 3< '" + copy.string() + "'; rm '" + copy.string() + "'; exec /proc/self/fd/3 --version";
  const Finished finished = run({"/bin/sh", "-c", script});
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_NE(finished.out.find("adwpnas"), std::string::npos) << finished.out;
}

TEST(Programs, RealImages) {
  const char* images = std::getenv("ADWPNAS_CIFAR10");
  if (images == nullptr) GTEST_SKIP() << "set ADWPNAS_CIFAR10 to a folder of CIFAR-10 images";
  const TemporaryDirectory place;
  const std::string data = std::string("folder:") + images + "?limit=2000&size=16";
  const Finished search = run(tiny_search(data, place.path() / "run"));
  ASSERT_EQ(search.status, 0) << search.err;
  const Finished trained = run({ADWP_TRAIN, "--architecture", (place.path() / "run/best.json").string(),
                                "--data", data, "--out", (place.path() / "net").string(), "--epochs", "3"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_GT(read_json(place.path() / "net/result.json")["test_accuracy"], 0.2);
}

}  // namespace
}  // namespace adwp::test
