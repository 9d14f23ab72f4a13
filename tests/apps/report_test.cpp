// The report's data and page, on the C++ side. What a browser makes of them: tests/report/check_report.sh.
#include "apps/report/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <set>

#include "apps/report/run_files.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/checkpoint.h"
#include "nas/network/stored_network.h"
#include "nas/score/rank_agreement.h"
#include "nas/score/structure.h"
#include "nas/search/selection.h"
#include "nas/store/run_store.h"
#include "tests/support/temporary_directory.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++found;
  return found;
}

class ReportTest : public testing::Test {
 protected:
  ReportTest() { write("config.toml", "# Settings of search\nversion = \"0.1.0\"\nseed = 3\n"); }

  void write(const std::string& name, const std::string& text) {
    io::write_atomically((folder_.path() / name).string(), text);
  }
  std::string database() const { return (folder_.path() / "search.db").string(); }
  Json data(std::size_t most_bytes = most_candidate_bytes) const {
    return search_data(RunFiles(folder_.path()), most_bytes);
  }

  // A search whose scores fall with the hash.
  nas::SearchState search(nas::RunStore& store, int generations) {
    const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
    const nas::SearchSettings settings{.population = 8, .generations = 5, .task = {16, 3, 10}, .seed = 3};
    nas::Search search(space, settings, [](std::span<nas::Candidate> candidates) {
      for (nas::Candidate& c : candidates) {
        c.predicted_loss = 1.0 + static_cast<double>(c.hash % 1000) / 1000;
        c.predicted_accuracy = 0.25;
        c.score = -*c.predicted_loss;
        c.latency_us = static_cast<double>(c.macs) / 1000;
      }
    });
    while (search.state().next_generation < generations && search.step()) {
      store.save_generation(search.state(), {.seconds = 0.5});
    }
    return search.state();
  }

  test::TemporaryDirectory folder_;
};

TEST(Page, NoNameEndsTheScriptThatHoldsIt) {
  const Json data{{"classes", {"</script><script>alert(1)</script>", "<!--", "été", "\xff\xfe"}},
                  {"loss", std::numeric_limits<double>::quiet_NaN()}};
  const std::string text = script_json(data);
  EXPECT_EQ(text.find('<'), text.npos);
  const Json back = Json::parse(text);
  EXPECT_EQ(back["classes"][0], data["classes"][0]);
  EXPECT_EQ(back["classes"][2], "été");
  EXPECT_EQ(back["classes"][3], "\uFFFD\uFFFD");
  EXPECT_TRUE(back["loss"].is_null());
  for (const char* kind : {"search", "train"}) {
    const std::string page = page_of(kind, data);
    EXPECT_EQ(count(page, "</script>"), 3u) << "data, Chart.js, ours";
    EXPECT_EQ(page.find("{{"), page.npos) << "a part was not filled in";
    EXPECT_EQ(count(page, "http-equiv=\"Content-Security-Policy\""), 1u);
    EXPECT_LT(page.size(), 400'000u);
  }
  EXPECT_THROW(page_of("neither", data), Error);
}

TEST_F(ReportTest, ADirectoryThatIsNoRunIsRefused) {
  const test::TemporaryDirectory empty;
  EXPECT_THROW(write_report(empty.path()), Error);
  EXPECT_FALSE(std::filesystem::exists(empty.path() / "report.html"));
}

TEST_F(ReportTest, ASearchThatHasOnlyBegunHasOne) {
  const Json begun = data();
  EXPECT_FALSE(begun["finished"]);
  EXPECT_TRUE(begun["hypernetwork"].empty());
  EXPECT_FALSE(begun.contains("candidates"));
  const nas::RunStore store(database());
  const Json opened = data();
  EXPECT_TRUE(opened["candidates"]["rows"].empty());
  EXPECT_TRUE(opened["front"].empty());
  EXPECT_TRUE(opened["finalists"].empty());
  EXPECT_TRUE(opened["rank_sample"].empty());
  EXPECT_TRUE(opened["agreement"].is_null());
  EXPECT_EQ(write_report(folder_.path()), folder_.path() / "report.html");
}

TEST_F(ReportTest, TheLogOfAResumedRunGivesEachEpochOnce) {
  write("log.jsonl",
        "{\"phase\":\"hypernetwork\",\"epoch\":1,\"loss\":2.5}\n"
        "{\"phase\":\"hypernetwork\",\"epoch\":2,\"loss\":null}\n"
        "{\"phase\":\"checkpoint\",\"damaged\":\"x\"}\n"
        "not JSON\n"
        "{\"phase\":\"hypernetwork\",\"epoch\":2,\"loss\":2.0}\n"
        "{\"phase\":\"train\",\"epoch\":3,\"loss\":1.0}\n"
        "{\"phase\":\"hypernetwork\",\"epoch\":3,\"lo");
  const Json curve = data()["hypernetwork"];
  ASSERT_EQ(curve.size(), 2u);
  EXPECT_EQ(curve[0]["loss"], 2.5);
  EXPECT_EQ(curve[1]["loss"], 2.0);
}

TEST_F(ReportTest, RanksAreThoseOfTheProcessThatEndedTheSearch) {
  EXPECT_TRUE(data()["ranks"].is_null()) << "one process alone";
  const std::string earlier = R"({"phase":"ranks","hosts":["a"],"busy":[[[0,1]]],"until":1})";
  const std::string last =
      R"({"phase":"ranks","hosts":["a","b"],"busy":[[[0,40],[40.01,60]],[[10,20],[30,45]]],"until":100})";
  write("log.jsonl", earlier + "\n" + last + "\n");
  const Json found = data()["ranks"];
  EXPECT_EQ(found["until"], 100);
  ASSERT_EQ(found["ranks"].size(), 2u);
  EXPECT_EQ(found["ranks"][0]["busy"], Json::parse("[[0.0, 60.0]]")) << "a pause too short to be seen";
  EXPECT_NEAR(found["ranks"][0]["seconds"].get<double>(), 59.99, 1e-9);
  EXPECT_EQ(found["ranks"][1]["busy"], Json::parse("[[10.0, 20.0], [30.0, 45.0]]"));
  EXPECT_EQ(found["ranks"][1]["host"], "b");
  for (const char* damaged :
       {R"({"phase":"ranks"})", R"({"phase":"ranks","hosts":[1],"busy":[],"until":"x"})"}) {
    write("log.jsonl", damaged + std::string("\n"));
    EXPECT_TRUE(data()["ranks"].is_null()) << damaged;
  }
}

TEST_F(ReportTest, CandidatesFrontAndFinalistsAreThoseOfTheStore) {
  nas::RunStore store(database());
  const nas::SearchState state = search(store, 3);
  const nas::Candidate& finalist = state.evaluated[4];
  store.save_finalist(finalist, 1, {0.5, 1.5}, {});
  store.save_finalist(finalist, 3, {0.625, 1.5}, {});
  store.finish(nas::Phase::hypernetwork, {.seconds = 2});
  const Json all = data();
  EXPECT_EQ(all["candidates"]["rows"].size(), state.evaluated.size());
  EXPECT_EQ(all["candidates"]["columns"].size(), all["candidates"]["rows"][0].size());
  EXPECT_EQ(all["left_out"], 0);
  EXPECT_EQ(all["front"].size(), nas::pareto_front(state.evaluated).size());
  ASSERT_EQ(all["finalists"].size(), 2u);
  EXPECT_EQ(all["finalists"][0]["id"], finalist.architecture.id());
  EXPECT_EQ(all["finalists"][0]["epochs"], 3) << "the longest training first";
  ASSERT_EQ(all["generations"].size(), 3u);
  EXPECT_GE(all["generations"][2]["best_so_far"], all["generations"][0]["best_so_far"]);
  EXPECT_TRUE(all["phases"][0]["finished"]);
  EXPECT_FALSE(all["phases"][2]["finished"]);
}

TEST_F(ReportTest, OfTooManyCandidatesTheFrontAndTheFinalistsStay) {
  nas::RunStore store(database());
  const nas::SearchState state = search(store, 3);
  const auto worst =
      std::min_element(state.evaluated.begin(), state.evaluated.end(),
                       [](const nas::Candidate& a, const nas::Candidate& b) { return a.score < b.score; });
  store.save_finalist(*worst, 1, {0.5, 1.5}, {});
  const Json few = data(0);
  const std::size_t rows = few["candidates"]["rows"].size();
  EXPECT_LT(rows, state.evaluated.size());
  EXPECT_EQ(few["left_out"], state.evaluated.size() - rows);
  std::set<Json> ids;
  for (const Json& row : few["candidates"]["rows"]) ids.insert(row[0]);
  for (const Json& id : few["front"]) EXPECT_TRUE(ids.contains(id));
  EXPECT_TRUE(ids.contains(worst->architecture.id()));
}

TEST_F(ReportTest, TheRankSampleIsJudgedAsTheSearchDoes) {
  nas::RunStore store(database());
  const nas::SearchState state = search(store, 2);
  std::vector<nas::Measured> networks;
  for (std::size_t i = 0; i < 9; ++i) {
    const nas::Candidate& c = state.evaluated[i];
    networks.push_back({c.params,
                        c.macs,
                        {nas::structure_features(c.architecture, c.params, c.macs), {*c.predicted_loss}},
                        0.3,
                        {0.4 + 0.01 * static_cast<double>(i), 1.5 - 0.01 * static_cast<double>(i)},
                        0.2});
    store.save_rank_network(i, c.architecture, networks.back(), {});
  }
  const Json all = data();
  EXPECT_EQ(all["rank_sample"].size(), 9u);
  const nas::RankAgreement expected = nas::rank_agreement(networks, 3);
  EXPECT_EQ(all["score"], name_of(expected.kind));
  EXPECT_EQ(all["agreement"]["verdict"], expected.verdict());
  EXPECT_NEAR(all["rank_sample"][4]["sample_score"], expected.scores[4], 1e-4);
  ASSERT_EQ(all["agreement"]["rankings"].size(), expected.rankings.size());
  const Json tau = all["agreement"]["rankings"][0]["kendall_tau"];
  EXPECT_EQ(tau["value"], expected.rankings[0].kendall_tau->value);
  EXPECT_EQ(tau["low"], expected.rankings[0].kendall_tau->low);
}

TEST_F(ReportTest, ATrainingIsKnownByItsArchitecture) {
  write("config.toml", "version = \"0.1.0\"\narchitecture = \"</script>.json\"\n");
  write("log.jsonl", "{\"phase\":\"train\",\"epoch\":1,\"loss\":2.5}\n");
  const Json begun = train_data(RunFiles(folder_.path()));
  EXPECT_EQ(begun["epochs"].size(), 1u);
  EXPECT_TRUE(begun["network"].is_null());
  EXPECT_TRUE(begun["test"].is_null());
  EXPECT_NE(report_of(folder_.path()).find("Training of one network"), std::string::npos);
  write("result.json", "[1, 2");
  EXPECT_THROW(report_of(folder_.path()), Error);
}

// The page is still written; the network is the one saved before, or none.
TEST_F(ReportTest, ADamagedCheckpointCostsTheNetworkAlone) {
  write("config.toml", "version = \"0.1.0\"\narchitecture = \"a.json\"\n");
  write("log.jsonl", "{\"phase\":\"train\",\"epoch\":1,\"loss\":2.5}\n");
  const std::string newest = (folder_.path() / "checkpoints" / "network.safetensors").string();
  std::filesystem::create_directory(folder_.path() / "checkpoints");
  const auto save = [](const std::string& path, int stem_width) {
    Random random(1, Purpose::test);
    nas::Architecture architecture = nas::SearchSpace::preset("tiny").sample(random);
    architecture.stem_width = stem_width;
    const nas::NetworkPlan plan = nas::plan_network(architecture, {16, 3, 2});
    io::SafeTensors file;
    file.metadata = nas::network_facts(plan, {}, {"a", "b"});
    for (const auto& [name, shape] : nas::tensors_of(plan)) {
      file.tensors[name] = {shape, DType::f32,
                            std::vector<std::byte>(static_cast<std::size_t>(shape.elements()) * 4)};
    }
    io::seal(file);
    file.save(path);
    return architecture.id();
  };
  const auto flip_last_byte = [](const std::string& path) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(-1, std::ios::end);
    file.put('\x55');
  };
  // The warnings of train_data().
  const auto network = [&](Json& found) {
    testing::internal::CaptureStderr();
    found = train_data(RunFiles(folder_.path()));
    return testing::internal::GetCapturedStderr();
  };
  const std::string before = save(io::previous_checkpoint(newest), 8), last = save(newest, 16);
  ASSERT_NE(before, last);
  Json found;
  EXPECT_EQ(network(found), "");
  EXPECT_EQ(found["network"]["id"], last);

  flip_last_byte(newest);
  const std::string warning = network(found);
  EXPECT_NE(warning.find("warning: [checkpoint] " + newest + " is damaged"), std::string::npos) << warning;
  EXPECT_EQ(found["network"]["id"], before);
  EXPECT_EQ(found["epochs"].size(), 1u);
  const std::string page = io::read_text(write_report(folder_.path()).string());
  EXPECT_NE(page.find(before), std::string::npos);

  flip_last_byte(io::previous_checkpoint(newest));
  network(found);
  EXPECT_TRUE(found["network"].is_null());
  EXPECT_EQ(found["epochs"].size(), 1u);
  EXPECT_NO_THROW(write_report(folder_.path()));

  io::SafeTensors other;  // whole, and no network
  other.metadata["made-by"] = "another";
  io::seal(other);
  other.save(newest);
  EXPECT_NE(network(found).find("is no trained network"), std::string::npos);
  EXPECT_TRUE(found["network"].is_null());
}

TEST(TestOutcome, CountsEveryImageAndShowsTheSurestMistakes) {
  data::ImageSet images{2, 2, 3, {}, {0, 1, 1, 2}};
  images.pixels.resize(4 * 12, 128);
  const std::vector<float> logits{5, 0, 0,   // right
                                  2, 1, 0,   // 1 taken for 0
                                  9, 1, 0,   // the same, surer
                                  0, 0, 1};  // right
  const Json outcome = test_outcome(images, logits, {"a", "b", "c"});
  EXPECT_EQ(outcome["images"], 4);
  EXPECT_EQ(outcome["confusion"], Json::parse("[[0,0,1],[1,0,2],[2,2,1]]"));
  ASSERT_EQ(outcome["mistakes"].size(), 2u);
  EXPECT_GT(outcome["mistakes"][0]["probability"], 0.99);
  EXPECT_EQ(outcome["mistakes"][1]["true"], 1);
  EXPECT_EQ(outcome["mistakes"][1]["predicted"], 0);
  EXPECT_EQ(outcome["mistakes"][0]["picture"].get<std::string>().substr(0, 8), "iVBORw0K")
      << "a PNG begins so";
  EXPECT_EQ(test_outcome(images, logits, {"a", "b", "c"}, 1)["mistakes"].size(), 1u);
  EXPECT_THROW(test_outcome(images, logits, {"a", "b"}), Error);
}

TEST(TestOutcome, OneClassAndAThousand) {
  data::ImageSet images{100, 100, 1, {}, {0, 0}};
  images.pixels.resize(2 * 10'000, 7);
  const Json one = test_outcome(images, std::vector<float>{1, 2}, {"only"});
  EXPECT_EQ(one["confusion"], Json::parse("[[0,0,2]]"));
  EXPECT_TRUE(one["mistakes"].empty());
  std::vector<float> logits(2 * 1000);
  logits[999] = logits[1500] = 1;
  const Json many = test_outcome(images, logits, std::vector<std::string>(1000, "name"));
  EXPECT_EQ(many["confusion"], Json::parse("[[0,500,1],[0,999,1]]"));
  EXPECT_LT(many["mistakes"][0]["picture"].get<std::string>().size(), 2000u) << "64 x 64 of one grey";
}

TEST(TestOutcome, Base64) {
  const auto text = [](std::string_view bytes) {
    return base64({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
  };
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("f"), "Zg==");  // RFC 4648
  EXPECT_EQ(text("fo"), "Zm8=");
  EXPECT_EQ(text("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace adwp::apps
