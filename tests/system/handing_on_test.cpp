// export, classify and inspect as a user meets them, from a run of train to what other tools read.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/io/atomic_file.h"
#include "framework/io/safetensors.h"
#include "tests/support/images.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

// Every kind of layer and of join.
constexpr const char* network = R"({"version":1,"stem":{"width":8,"stride":2},"stages":[{"width":8,"stride":1,
 "blocks":[{"kind":"dense","kernel":3,"expansion":1,"squeeze_excite":false,"residual":false,"join":"none",
 "from":0},{"kind":"separable","kernel":5,"expansion":1,"squeeze_excite":false,"residual":true,"join":"concat",
 "from":0}]},{"width":16,"stride":2,"blocks":[{"kind":"inverted_residual","kernel":3,"expansion":2,
 "squeeze_excite":true,"residual":false,"join":"none","from":0},{"kind":"dense","kernel":3,"expansion":1,
 "squeeze_excite":false,"residual":true,"join":"add","from":0}]}],"head":{"width":24},
 "activation":"hard_swish"})";

std::string program(const char* name) { return (fs::path(ADWP_SEARCH).parent_path() / name).string(); }

class HandingOn : public testing::Test {
 protected:
  void SetUp() override { io::write_atomically(path("net.json"), network); }
  std::string path(const std::string& name) const { return (place_.path() / name).string(); }

  std::string succeed(Arguments arguments) const {
    arguments[0] = program(arguments[0].c_str());
    const Finished finished = run(arguments);
    EXPECT_EQ(finished.status, 0) << finished.err;
    return finished.out;
  }
  void refuse(Arguments arguments, int status, const std::string& says) const {
    arguments[0] = program(arguments[0].c_str());
    const Finished finished = run(arguments);
    EXPECT_EQ(finished.status, status) << finished.err;
    EXPECT_TRUE(finished.err.starts_with("error: [")) << finished.err;
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    EXPECT_NE(finished.err.find(says), std::string::npos) << "'" << says << "' is not in: " << finished.err;
  }
  // Random weights, 8 pixels, 4 classes.
  std::string random_network(const std::string& seed = "0") const {
    const std::string file = path("random" + seed + ".safetensors");
    succeed({"export", "--architecture", path("net.json"), "--image", "8", "--classes", "4", "--seed", seed,
             "--format", "safetensors", "--out", file});
    return file;
  }

 private:
  TemporaryDirectory place_;
};

TEST_F(HandingOn, ATrainedNetworkIsExportedAndClassifies) {
  for (int i = 0; i < 60; ++i) {
    const std::string folder = i < 40 ? "images/train/" : "images/test/";
    const bool bright = i % 2 == 1;
    write_png(path(folder + (bright ? "hell/" : "d\u00fcster/") + std::to_string(i) + ".png"), 8, 8,
              i + (bright ? 190 : 10));
  }
  const std::string bright = path("images/test/hell/41.png"), dark = path("images/test/d\u00fcster/40.png");
  succeed({"train", "--architecture", path("net.json"), "--data", "folder:" + path("images"), "--out",
           path("run"), "--epochs", "12", "--batch", "8", "--validation", "0.1", "--quiet"});
  const Json answers = Json::parse(succeed({"classify", path("run"), bright, dark, "--json"}));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0]["classes"][0]["name"], "hell");
  EXPECT_EQ(answers[1]["classes"][0]["name"], "d\u00fcster");
  EXPECT_EQ(answers[0]["classes"].size(), 2u);
  EXPECT_GE(answers[0]["classes"][0]["probability"], answers[0]["classes"][1]["probability"]);

  // What was exported computes the same as the checkpoint, and no longer holds the optimizer.
  const std::string weights = path("weights.safetensors");
  succeed({"export", path("run"), "--format", "safetensors", "--out", weights});
  EXPECT_EQ(answers, Json::parse(succeed({"classify", weights, bright, dark, "--json"})));
  EXPECT_FALSE(io::SafeTensors::load(weights).tensors.contains("optimizer.velocity"));
  const std::string table = succeed({"classify", path("run"), bright, "--top", "1"});
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
  const Json layers = Json::parse(succeed({"inspect", path("run"), "--json"}));
  EXPECT_EQ(layers["image"], Json({8, 8, 3}));
  EXPECT_EQ(layers["classes"], 2);
  EXPECT_EQ(layers["architecture"], Json::parse(network));
}

// Of a training that was killed by a bad disk, the epoch before is handed on.
TEST_F(HandingOn, OfTwoCheckpointsTheNewestWholeOneIsUsed) {
  const std::string folder = path("run") + "/checkpoints/";
  const std::string newest = folder + "network.safetensors",
                    previous = folder + "network.previous.safetensors";
  const auto flip = [](const std::string& file) {
    std::string bytes = io::read_text(file);
    bytes[bytes.size() - 5] ^= 4;
    std::ofstream(file, std::ios::binary) << bytes;
  };
  const auto exported = [&](const std::string& what) {
    succeed({"export", what, "--format", "safetensors", "--out", path("out")});
    return io::read_text(path("out"));
  };
  succeed({"train", "--architecture", path("net.json"), "--data", "synthetic:60?size=8", "--out", path("run"),
           "--epochs", "2", "--batch", "8", "--quiet"});
  const std::string second = exported(path("run")), first = exported(previous);
  EXPECT_NE(first, second);
  EXPECT_EQ(exported(newest), second);

  flip(newest);
  const Finished finished =
      run({program("export"), path("run"), "--format", "safetensors", "--out", path("out")});
  EXPECT_EQ(finished.status, 0);
  EXPECT_NE(finished.err.find("network.safetensors is damaged"), std::string::npos) << finished.err;
  EXPECT_NE(finished.err.find("network.previous.safetensors"), std::string::npos) << finished.err;
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  EXPECT_EQ(io::read_text(path("out")), first);
  EXPECT_EQ(Json::parse(succeed({"inspect", path("run"), "--json"}))["architecture"], Json::parse(network));
  refuse({"export", newest, "--format", "safetensors", "--out", path("out2")}, 1, "is damaged");
  EXPECT_TRUE(fs::exists(newest)) << "reading moves nothing";

  flip(previous);
  refuse({"export", path("run"), "--format", "safetensors", "--out", path("out2")}, 1, "no whole checkpoint");
  EXPECT_FALSE(fs::exists(path("out2")));
}

TEST_F(HandingOn, EveryFormatIsWritten) {
  const std::string weights = random_network();
  for (const auto& [format, holds] :
       std::vector<std::pair<std::string, std::string>>{{"pytorch", "class Network(nn.Module)"},
                                                        {"dot", "stage1.block0.excite"},
                                                        {"svg", "inverted 3\u00d73 e2 SE"}}) {
    succeed({"export", weights, "--format", format, "--out", path("out")});
    EXPECT_NE(io::read_text(path("out")).find(holds), std::string::npos) << format;
  }
  const Finished onnx = run({program("export"), weights, "--format", "onnx", "--out", path("out.onnx")});
  if (onnx.err.find("writes no ONNX") != std::string::npos) GTEST_SKIP() << onnx.err;
  ASSERT_EQ(onnx.status, 0) << onnx.err;
  EXPECT_NE(io::read_text(path("out.onnx")).find("BatchNormalization"), std::string::npos);
}

TEST_F(HandingOn, TheSameSeedGivesTheSameWeights) {
  const std::string first = io::read_text(random_network());
  EXPECT_EQ(first, io::read_text(random_network()));
  EXPECT_NE(first, io::read_text(random_network("1")));
}

// The batch must not matter: the last one is filled up.
TEST_F(HandingOn, LogitsDoNotDependOnTheBatch) {
  Arguments classify{"classify", random_network(), "--json"};
  for (int i = 0; i < 5; ++i) {
    const std::string image = path("image" + std::to_string(i) + ".png");
    write_png(image, 8 + i, 9, 50 * i);
    classify.push_back(image);
  }
  const Json all = Json::parse(succeed(classify));
  classify.insert(classify.end(), {"--batch", "2"});
  const Json pairs = Json::parse(succeed(classify));
  ASSERT_EQ(all.size(), 5u);
  ASSERT_EQ(pairs.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    ASSERT_EQ(pairs[i]["logits"].size(), 4u);
    for (std::size_t c = 0; c < 4; ++c) {
      EXPECT_NEAR(pairs[i]["logits"][c].get<double>(), all[i]["logits"][c].get<double>(), 1e-5);
    }
  }
}

TEST_F(HandingOn, InspectCountsAndDraws) {
  const Json layers = Json::parse(succeed({"inspect", path("net.json"), "--image", "16", "--json"}));
  std::int64_t params = 0, macs = 0;
  for (const Json& layer : layers["layers"]) {
    params += layer["params"].get<std::int64_t>();
    macs += layer["macs"].get<std::int64_t>();
  }
  EXPECT_EQ(layers["params"], params);
  EXPECT_EQ(layers["macs"], macs);
  EXPECT_EQ(layers["layers"][0]["output"], Json({8, 8, 8}));
  EXPECT_EQ(layers["layers"].back()["name"], "classifier");
  const std::string table = succeed({"inspect", path("net.json")});
  for (const char* part : {"stage1.block1.join", "3x3 depthwise /2", "16 x 16 x 8", "total"}) {
    EXPECT_NE(table.find(part), std::string::npos) << part << " is not in\n" << table;
  }
  const std::string dot = succeed({"inspect", path("net.json"), "--dot"});
  for (const char* part : {"digraph", "cluster_1", "concat", "-> classifier"}) {
    EXPECT_NE(dot.find(part), std::string::npos) << part;
  }
}

TEST_F(HandingOn, InspectShowsASpace) {
  const Json space = Json::parse(succeed({"inspect", "--space", "tiny", "--sample", "5", "--json"}));
  EXPECT_GT(space["size"], 1e14);
  ASSERT_EQ(space["sample"].size(), 5u);
  for (const Json& one : space["sample"]) {
    EXPECT_GE(one["macs"], space["smallest"]["macs"]);
    EXPECT_LE(one["macs"], space["largest"]["macs"]);
    io::write_atomically(path("one.json"), one["architecture"].dump());
    EXPECT_EQ(Json::parse(succeed({"inspect", path("one.json"), "--json"}))["params"], one["params"]);
  }
  EXPECT_NE(succeed({"inspect", "--space", "cifar", "--sample", "1"}).find("largest"), std::string::npos);
}

TEST_F(HandingOn, WrongUse) {
  const std::string weights = random_network(), out = path("out");
  refuse({"export", "--format", "onnx", "--out", out}, 2, "nothing to export");
  refuse({"export", weights, "--architecture", path("net.json"), "--format", "dot", "--out", out}, 2, "both");
  refuse({"export", weights, "--format", "tensorflow", "--out", out}, 2, "tensorflow");
  refuse({"export", weights, "--out", out}, 2, "--format");
  refuse({"export", path("none"), "--format", "dot", "--out", out}, 2, "none");
  fs::create_directories(path("empty"));
  refuse({"export", path("empty"), "--format", "dot", "--out", out}, 2, "checkpoints/network.safetensors");
  refuse({"export", weights, "--format", "svg", "--out", path("none/out.svg")}, 1, "none/out.svg");
  refuse({"classify", weights}, 2, "IMAGE");
  refuse({"classify"}, 2, "RUN_DIR");
  refuse({"classify", weights, path("none.png")}, 1, "none.png");
  refuse({"classify", weights, path("net.json")}, 1, "text, not an image");
  refuse({"inspect"}, 2, "nothing to inspect");
  refuse({"inspect", path("net.json"), "--space", "tiny"}, 2, "more than one");
  refuse({"inspect", path("net.json"), "--dot", "--json"}, 2, "--json");
  refuse({"inspect", path("net.json"), "extra"}, 2, "extra");
  refuse({"inspect", "--space", "huge"}, 2, "huge");
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(HandingOn, FilesThatAreNoNetwork) {
  const std::string good = random_network();
  const auto with = [&](auto change) {
    io::SafeTensors file = io::SafeTensors::load(good);
    change(file);
    file.save(path("bad.safetensors"));
    return Arguments{"export", path("bad.safetensors"), "--format", "pytorch", "--out", path("out")};
  };
  refuse(with([](auto& file) { file.metadata.erase("input"); }), 1, "'input'");
  refuse(with([](auto& file) { file.metadata["input"] = "{"; }), 1, "'input'");
  refuse(with([](auto& file) {
           file.metadata["input"] = R"({"size":8,"channels":3,"mean":[1],"deviation":[1]})";
         }),
         1, "'mean'");
  refuse(with([](auto& file) { file.metadata["classes"] = "[1,2]"; }), 1, "'classes'");
  refuse(with([](auto& file) { file.metadata["classes"] = R"(["a","b"])"; }), 1, "'classifier.weight'");
  refuse(with([](auto& file) { file.metadata["architecture"] = "{}"; }), 1, "architecture");
  refuse(with([](auto& file) { file.tensors.erase("stem.mean"); }), 1, "'stem.mean'");
  refuse(with([](auto& file) { file.tensors.at("stem.mean") = file.tensors.at("classifier.bias"); }), 1,
         "'stem.mean'");
  std::ofstream(path("short.safetensors"), std::ios::binary) << io::read_text(good).substr(0, 500);
  refuse({"classify", path("short.safetensors"), path("x.png")}, 1, "short.safetensors");
  EXPECT_FALSE(fs::exists(path("out")));
}

}  // namespace
}  // namespace adwp::test
