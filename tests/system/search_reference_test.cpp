// What the programs leave, computed again from their checkpoints and settings.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "data/data_set.h"
#include "data/test_split.h"
#include "framework/io/atomic_file.h"
#include "framework/io/checkpoint.h"
#include "nas/evaluation/evaluator.h"
#include "nas/score/rank_agreement.h"
#include "nas/score/structure.h"
#include "nas/search/search.h"
#include "nas/store/run_store.h"
#include "nas/training/network_trainer.h"
#include "nas/weights/hypernetwork.h"
#include "tests/support/device.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/system/tiny_search.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;

// Where there is one: the device that programs take by themselves where there is no GPU.
Backend* cpu() { return open_device("cpu"); }

// A search's scores come from its checkpoints, the mean over its HyperNetworks, and its rank sample.
void expect_scores(int hypernetworks) {
  const TemporaryDirectory place;
  const std::string data = "synthetic:200?size=8";
  Arguments search = tiny_search(data, place.path() / "run");
  add(search, {"--rank-sample", "8", "--population", "6", "--finalists", "0", "--hyper-width", "16", "--seed",
               "4", "--device", "cpu", "--space", "tiny", "--score-images", "30", "--hypernetworks",
               std::to_string(hypernetworks)});
  const Finished finished = run(search);
  ASSERT_EQ(finished.status, 0) << finished.err;

  const nas::SearchSpace space = nas::SearchSpace::preset("tiny");
  const data::TrainingData training = data::load_training_data(data::parse_data_spec(data), 4, 0.2);
  const nas::Task task{8, 3, 10};
  Arena arena(*cpu(), std::size_t{256} << 20);
  nas::HyperNetwork source(arena, space, task, {.width = 16}, 4);
  const auto load = [&](int member) {
    const std::string name = member == 0 ? "hypernetwork" : fmt::format("hypernetwork-{}", member + 1);
    const auto trained =
        io::read_checkpoint((place.path() / "run/checkpoints" / (name + ".safetensors")).string());
    for (std::size_t i = 0; i < source.parameters().entries().size(); ++i) {
      const std::string& entry = source.parameters().entries()[i].name;
      trained.file.restore(entry, source.parameters()[static_cast<int>(i)].value());
    }
  };
  const auto held_out = data::DeviceImages::upload(arena, training.validation);
  nas::Evaluator evaluator(*cpu(), arena, held_out.first(30), training.norm, 500, 100);
  const auto scored = [&](const std::vector<nas::Architecture>& networks) {
    std::vector<nas::NetworkPlan> plans;
    for (const nas::Architecture& network : networks) plans.push_back(nas::plan_network(network, task));
    std::vector<nas::Score> means(plans.size());
    for (int member = 0; member < hypernetworks; ++member) {
      load(member);
      const std::vector<nas::Score> scores = evaluator.evaluate(source, plans);
      for (std::size_t i = 0; i < plans.size(); ++i) {
        means[i].loss += scores[i].loss / hypernetworks;
        means[i].accuracy += scores[i].accuracy / hypernetworks;
      }
    }
    return means;
  };

  const nas::RunStore store((place.path() / "run/search.db").string());
  const std::vector<nas::Measured> sample = store.rank_sample();
  ASSERT_EQ(sample.size(), 8u);
  std::vector<nas::Architecture> networks;
  for (std::uint64_t i = 0; i < 8; ++i) {
    Random random(4, Purpose::architecture, (std::uint64_t{1} << 40) + i);
    networks.push_back(space.sample(random));
  }
  std::vector<nas::Score> scores = scored(networks);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(sample[i].params, nas::plan_network(networks[i], task).parameters());
    EXPECT_EQ(sample[i].macs, nas::plan_network(networks[i], task).macs());
    EXPECT_NEAR(sample[i].predicted_loss().value(), scores[i].loss, 1e-5);
    EXPECT_NEAR(sample[i].predicted_accuracy.value(), scores[i].accuracy, 1e-9);
  }

  const std::vector<nas::Candidate> candidates = store.search_state().evaluated;
  ASSERT_EQ(candidates.size(), 18u);
  networks.clear();
  for (const nas::Candidate& c : candidates) networks.push_back(c.architecture);
  scores = scored(networks);
  const nas::SearchScore score(sample);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const nas::Candidate& c = candidates[i];
    EXPECT_NEAR(c.predicted_loss.value(), scores[i].loss, 1e-5);
    EXPECT_NEAR(c.predicted_accuracy.value(), scores[i].accuracy, 1e-9);
    const nas::Evidence evidence{nas::structure_features(c.architecture, c.params, c.macs),
                                 {c.predicted_loss.value()}};
    EXPECT_NEAR(c.score, score.of(evidence), 1e-9);
  }
}

TEST(ProgramsReference, ASearchsScoresComeFromItsCheckpointAndItsRankSample) {
  if (cpu() == nullptr) GTEST_SKIP() << "no device cpu here";
  expect_scores(1);
}

TEST(ProgramsReference, AnEnsemblesPredictionIsTheMeanOfItsMembers) {
  if (cpu() == nullptr) GTEST_SKIP() << "no device cpu here";
  expect_scores(3);
}

// Two rungs, the last of so many epochs; the first trains for one, as the rank sample.
void expect_funnel(int epochs) {
  const TemporaryDirectory place;
  const fs::path out = place.path() / "run";
  Arguments search = tiny_search("synthetic:200?size=8", out);
  add(search, {"--rank-sample",
               "12",
               "--rank-epochs",
               "1",
               "--population",
               "12",
               "--generations",
               "0",
               "--finalists",
               "5",
               "--refits",
               "1",
               "--finalist-epochs",
               std::to_string(epochs),
               "--halvings",
               "1",
               "--hyper-width",
               "16",
               "--seed",
               "5",
               "--device",
               "cpu",
               "--space",
               "tiny"});
  const Finished finished = run(search);
  ASSERT_EQ(finished.status, 0) << finished.err;

  const nas::RunStore store((out / "search.db").string());
  std::vector<nas::Measured> known = store.rank_sample();
  std::vector<nas::Candidate> open = store.search_state().evaluated;
  std::vector<std::pair<double, std::string>> field;  // loss after one epoch
  for (std::uint64_t i = 0; i < 12; ++i) {
    Random random(5, Purpose::architecture, (std::uint64_t{1} << 40) + i);
    field.emplace_back(known[i].trained.loss, nas::SearchSpace::preset("tiny").sample(random).id());
  }
  for (const std::size_t part : {2, 3}) {  // of five
    for (const nas::Candidate& c : nas::choose_finalists(open, part)) {
      const std::optional<nas::Trained> trained = store.trained(c, 1);
      ASSERT_TRUE(trained) << "not chosen: " << c.architecture.id();
      field.emplace_back(trained->loss, c.architecture.id());
      known.push_back(
          {c.params,
           c.macs,
           {nas::structure_features(c.architecture, c.params, c.macs), {c.predicted_loss.value()}},
           c.predicted_accuracy,
           *trained,
           std::nullopt});
      std::erase_if(open, [&](const nas::Candidate& other) { return other.hash == c.hash; });
    }
    const nas::SearchScore again(known);
    for (nas::Candidate& c : open) {
      c.score =
          again.of({nas::structure_features(c.architecture, c.params, c.macs), {c.predicted_loss.value()}});
    }
  }
  if (epochs > 1) {
    EXPECT_EQ(nas::Database((out / "search.db").string()).number("SELECT count(*) FROM finalists"), 5 + 2);
  }

  // Two of the field go on, and none that was worse than another that did not.
  const auto finalists = read_json(out / "result.json")["finalists"];
  ASSERT_GE(finalists.size(), 5u);
  std::set<std::string> longest;
  for (const int rank : {0, 1}) {
    EXPECT_EQ(finalists[rank]["epochs"], epochs);
    longest.insert(nas::Architecture::from_json(finalists[rank]["architecture"].dump()).id());
  }
  EXPECT_GE(finalists[0]["trained_accuracy"], finalists[1]["trained_accuracy"]);
  double worst_in = 0, best_out = std::numeric_limits<double>::infinity();
  for (const auto& [loss, id] : field) {
    if (longest.contains(id)) {
      worst_in = std::max(worst_in, loss);
    } else {
      best_out = std::min(best_out, loss);
    }
  }
  EXPECT_LE(worst_in, best_out);
}

TEST(ProgramsReference, TheFirstRungIsChosenByARefittedScoreAndTheRankSampleCompetes) {
  if (cpu() == nullptr) GTEST_SKIP() << "no device cpu here";
  expect_funnel(2);
  expect_funnel(1);  // whoever goes on is trained for no longer
}

TEST(ProgramsReference, ARecipeTrainsAsItSays) {
  if (cpu() == nullptr) GTEST_SKIP() << "no device cpu here";
  const TemporaryDirectory place;
  const nas::Architecture network = nas::SearchSpace::preset("tiny").smallest();
  io::write_atomically((place.path() / "network.json").string(), network.to_json());
  const std::string data = "synthetic:200?size=16";
  const data::TrainingData training = data::load_training_data(data::parse_data_spec(data), 6, 0.2);
  const data::ImageSet test = data::load_test_split(data::parse_data_spec(data), training).images;
  for (const bool strong : {false, true}) {
    const fs::path out = place.path() / (strong ? "strong" : "standard");
    const Finished finished = run({ADWP_TRAIN,
                                   "--architecture",
                                   (place.path() / "network.json").string(),
                                   "--data",
                                   data,
                                   "--out",
                                   out.string(),
                                   "--epochs",
                                   "1",
                                   "--batch",
                                   "32",
                                   "--validation",
                                   "0.2",
                                   "--seed",
                                   "6",
                                   "--lr",
                                   "0.05",
                                   "--recipe",
                                   strong ? "strong" : "standard",
                                   "--device",
                                   "cpu"});
    ASSERT_EQ(finished.status, 0) << finished.err;
    Arena arena(*cpu(), std::size_t{128} << 20);
    const auto images = data::DeviceImages::upload(arena, training.train);
    const auto held_out = data::DeviceImages::upload(arena, training.validation);
    nas::NetworkTrainer trainer(*cpu(), arena, nas::plan_network(network, {16, 3, 10}), images, training.norm,
                                {.epochs = 1,
                                 .batch = 32,
                                 .learning_rate = 0.05f,
                                 .label_smoothing = strong ? 0.1f : 0.0f,
                                 .augmentation = {.shift = 2, .flip = true, .cutout = strong ? 8 : 0},
                                 .seed = 6});
    const nlohmann::json result = read_json(out / "result.json");
    EXPECT_NEAR(result["train_loss"].get<double>(), trainer.run_epoch(0), 1e-5) << strong;
    EXPECT_NEAR(result["validation_accuracy"].get<double>(), trainer.evaluate(held_out, 500).accuracy, 1e-9);
    const double hits = trainer.evaluate(data::DeviceImages::upload(arena, test), 500).accuracy;
    EXPECT_NEAR(result["test_accuracy"].get<double>(), hits, 1e-9);
    EXPECT_NEAR(result["test_error"].get<double>(), 1 - hits, 1e-9);
  }
}

}  // namespace
}  // namespace adwp::test
