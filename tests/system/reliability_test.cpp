// What goes wrong around a run: disks that fill, data that vanishes, odd data sets, losses that are no
// numbers. Each ends in one clear line or in a result, spoils nothing, and goes on once the cause is gone.
// tests/system/disk_full.sh does the same on a disk that is truly full.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "framework/io/atomic_file.h"
#include "framework/io/safetensors.h"
#include "tests/support/images.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/system/tiny_search.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;

constexpr int failed = 1, wrong_use = 2;

class Reliability : public testing::Test {
 protected:
  fs::path place() const { return directory_.path(); }
  fs::path out() const { return place() / "run"; }

  Arguments search(const std::string& data = "synthetic:300?size=16") const {
    Arguments arguments = tiny_search(data, out());
    add(arguments, {"--threads", "1"});
    return arguments;
  }
  static Arguments resumed(Arguments arguments) {
    arguments.push_back("--resume");
    return arguments;
  }
  // `count` images of each class, in both splits.
  std::string folder(const std::vector<std::string>& classes, int count, const std::string& name = "images") {
    for (const char* split : {"train", "test"}) {
      for (const std::string& one : classes) {
        for (int i = 0; i < count; ++i) {
          write_png(place() / name / split / one / (std::to_string(i) + ".png"), 8, 8, 40 * i + 10);
        }
      }
    }
    return "folder:" + (place() / name).string();
  }

  static void expect_one_line(const Finished& finished, int status, const std::string& says) {
    EXPECT_EQ(finished.status, status) << finished.err;
    const std::string last = finished.err.substr(
        finished.err.rfind("error: ") == std::string::npos ? 0 : finished.err.rfind("error: "));
    EXPECT_TRUE(last.starts_with("error: [")) << finished.err;
    EXPECT_EQ(std::count(last.begin(), last.end(), '\n'), 1) << last;
    EXPECT_NE(last.find(says), std::string::npos) << "'" << says << "' is not in: " << last;
  }
  // The first tensor of a file that holds a NaN or an infinity; "" when there is none.
  static std::string not_finite(const io::SafeTensors& file) {
    for (const auto& [name, tensor] : file.tensors) {
      if (tensor.dtype != DType::f32) continue;
      std::vector<float> values(tensor.bytes.size() / sizeof(float));
      if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
      for (float value : values) {
        if (!std::isfinite(value)) return name;
      }
    }
    return "";
  }
  void expect_no_temporaries() const {
    for (const auto& entry : fs::recursive_directory_iterator(out())) {
      EXPECT_EQ(entry.path().string().find(".tmp"), std::string::npos) << entry.path();
    }
  }

 private:
  TemporaryDirectory directory_;
};

// No file may grow past a limit, which is raised from run to run: so every file is in turn the one that
// does not fit. The kernel's signal for that must not end the program.
TEST_F(Reliability, FilesThatMayNotGrowStopTheRunAndItGoesOn) {
  const fs::path whole = place() / "whole";
  Arguments arguments = search();
  add(arguments, {"--out", whole.string()});
  ASSERT_EQ(run(arguments).status, 0);
  int stops = 0;
  std::string where;
  for (int blocks : {1, 4, 16, 80, 160, 300, 1000, 4000, 8000, 32000}) {  // of 512 bytes
    Arguments limited{"/bin/sh", "-c", "ulimit -f " + std::to_string(blocks) + "; exec \"$0\" \"$@\""};
    const Arguments program = fs::exists(out()) ? resumed(search()) : search();
    limited.insert(limited.end(), program.begin(), program.end());
    const Finished finished = run(limited);
    if (finished.status == 0) break;
    expect_one_line(finished, failed, "");
    expect_no_temporaries();
    ++stops;
    where += finished.err.substr(finished.err.rfind("error: "));
  }
  EXPECT_GE(stops, 3) << where;
  for (const char* part : {"config.toml", "search.db", "hypernetwork.safetensors"}) {
    EXPECT_NE(where.find(part), std::string::npos) << part << " never failed:\n" << where;
  }
  ASSERT_EQ(run(resumed(search())).status, 0) << where;
  EXPECT_EQ(without_times(read_json(out() / "result.json")), without_times(read_json(whole / "result.json")));
  for (const char* file : {"checkpoints/hypernetwork.safetensors", "best.json"}) {
    EXPECT_EQ(bytes_of(out() / file), bytes_of(whole / file));
  }
}

TEST_F(Reliability, ALogThatCannotGrowStopsTheRun) {
  Process process(search());
  ASSERT_TRUE(process.wait_for("HyperNetwork 100 %"));
  process.signal(SIGKILL);
  process.wait();
  {
    std::ofstream log(out() / "log.jsonl", std::ios::app);
    const std::string line = "{\"padding\": \"" + std::string(1000, 'x') + "\"}\n";
    for (int i = 0; i < 20'000; ++i) log << line;
  }
  const auto size = fs::file_size(out() / "log.jsonl");
  Arguments limited{"/bin/sh", "-c", "ulimit -f " + std::to_string(size / 512) + "; exec \"$0\" \"$@\""};
  const Arguments program = resumed(search());
  limited.insert(limited.end(), program.begin(), program.end());
  expect_one_line(run(limited), failed, "log.jsonl");
  EXPECT_EQ(run(program).status, 0);
}

// Where a file should be written stands something else.
TEST_F(Reliability, ResultsThatCannotBeWrittenAreWrittenLater) {
  ASSERT_EQ(run(search()).status, 0);
  for (const char* name : {"result.json", "best.json", "report.html"}) {
    const fs::path path = out() / name;
    if (!fs::exists(path)) continue;
    const fs::path kept = place() / name;
    fs::rename(path, kept);
    fs::create_directory(path);
    expect_one_line(run(resumed(search())), failed, name);
    fs::remove(path);
    EXPECT_EQ(run(resumed(search())).status, 0);
    if (std::string(name) == "best.json") {
      EXPECT_EQ(io::read_text(path.string()), io::read_text(kept.string()));
    }
  }
}

TEST_F(Reliability, ADirectoryThatIsReadOnly) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere; see disk_full.sh";
  ASSERT_EQ(run(search()).status, 0);
  fs::permissions(out(), fs::perms::owner_read | fs::perms::owner_exec);
  expect_one_line(run(resumed(search())), wrong_use, "cannot write into");
  fs::permissions(out(), fs::perms::owner_all);
  EXPECT_EQ(run(resumed(search())).status, 0);
}

TEST_F(Reliability, DataThatVanishesOrChangesBetweenStartAndResume) {
  const std::string data = folder({"cat", "dog"}, 30);
  Arguments arguments = search(data);
  add(arguments, {"--batch", "16"});
  Process process(arguments);
  ASSERT_TRUE(process.wait_for("HyperNetwork 100 %"));
  process.signal(SIGKILL);
  process.wait();
  const fs::path images = place() / "images", away = place() / "away";
  fs::rename(images, away);
  expect_one_line(run(resumed(arguments)), failed, "images/train");
  fs::create_directories(images / "train" / "cat");
  expect_one_line(run(resumed(arguments)), failed, "holds no image");
  fs::remove_all(images);
  fs::rename(away, images);
  fs::rename(images / "train/cat/3.png", place() / "3.png");
  expect_one_line(run(resumed(arguments)), wrong_use, "the data differs");
  fs::rename(place() / "3.png", images / "train/cat/3.png");
  EXPECT_EQ(run(resumed(arguments)).status, 0);
}

TEST_F(Reliability, TheArchitectureOrTheTestSplitVanishes) {
  const std::string data = folder({"cat", "dog"}, 40);
  Arguments arguments = search(data);
  add(arguments, {"--batch", "16"});
  ASSERT_EQ(run(arguments).status, 0);
  const fs::path best = out() / "best.json", net = place() / "net";
  const Arguments train{ADWP_TRAIN,   "--architecture", best.string(), "--data",   data, "--out",
                        net.string(), "--batch",        "16",          "--epochs", "2"};
  ASSERT_EQ(run(train).status, 0);
  fs::rename(best, place() / "best.json");
  expect_one_line(run(resumed(train)), wrong_use, "best.json");
  fs::rename(place() / "best.json", best);
  fs::rename(place() / "images/test", place() / "test");
  expect_one_line(run(resumed(train)), failed, "no test split");
  fs::rename(place() / "test", place() / "images/test");
  EXPECT_EQ(run(resumed(train)).status, 0);
}

TEST_F(Reliability, NoImagesOneImageOneClass) {
  fs::create_directories(place() / "images/train");
  const std::string data = "folder:" + (place() / "images").string();
  expect_one_line(run(search(data)), failed, "holds no class folders");
  fs::create_directories(place() / "images/train/cat");
  expect_one_line(run(search(data)), failed, "holds no image");
  folder({"cat"}, 1);
  expect_one_line(run(search(data)), failed, "expected 2 or more");
  folder({"cat"}, 30);  // a class alone: no problem, and nothing to learn
  Arguments arguments = search(data);
  add(arguments, {"--batch", "8"});
  const Finished finished = run(arguments);
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(read_json(out() / "result.json")["dataset"]["classes"], 1);
}

TEST_F(Reliability, AThousandClasses) {
  std::vector<std::string> classes;
  for (int i = 0; i < 1000; ++i) classes.push_back("class" + std::to_string(i));
  const std::string data = folder(classes, 2);
  Arguments arguments = search(data);
  add(arguments, {"--rank-sample", "0", "--finalists", "1"});
  const Finished finished = run(arguments);
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(read_json(out() / "result.json")["dataset"]["classes"], 1000);
  const Finished trained = run({ADWP_TRAIN, "--architecture", (out() / "best.json").string(), "--data", data,
                                "--out", (place() / "net").string(), "--epochs", "1"});
  EXPECT_EQ(trained.status, 0) << trained.err;
}

// The same name in two classes, or with two endings, is no conflict; names and paths may be of any script.
TEST_F(Reliability, NamesOfFilesClassesAndFolders) {
  const std::string data = folder({"d\u00fcster", "\u732b", "a b\"c", "-"}, 30, "Bilder \u00fc\u732b");
  for (const char* split : {"train", "test"}) {
    write_png(place() / "Bilder \u00fc\u732b" / split / "-/0.PNG", 8, 8, 99);
  }
  Arguments arguments = search(data);
  const fs::path there = place() / "L\u00e4ufe \u8dd1" / "eins";
  add(arguments, {"--out", there.string(), "--batch", "16"});
  arguments.push_back("--tensorboard");
  Process process(arguments);
  ASSERT_TRUE(process.wait_for("HyperNetwork 100 %")) << process.wait().err;
  process.signal(SIGINT);
  process.wait();
  const Finished finished =
      run({ADWP_SEARCH, "--config", (there / "config.toml").string(), "--resume", "--quiet"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(read_json(there / "result.json")["dataset"]["name"], data);
  const Finished trained = run({ADWP_TRAIN, "--architecture", (there / "best.json").string(), "--data", data,
                                "--out", (there / "netz").string(), "--epochs", "1", "--batch", "16"});
  EXPECT_EQ(trained.status, 0) << trained.err;
}

// Whatever the learning rate does, it ends in a result or in one line that says where; and no checkpoint
// ever holds what is not finite, for the run would never get out of it.
TEST_F(Reliability, AHugeLearningRateEndsInOneLine) {
  Arguments arguments = search();
  add(arguments, {"--hyper-lr", "1", "--finalist-lr", "10", "--hyper-epochs", "3"});
  const fs::path net = place() / "net", architecture = place() / "a.json";
  ASSERT_EQ(run(search()).status, 0);
  fs::rename(out() / "best.json", architecture);
  fs::remove_all(out());
  Arguments train{ADWP_TRAIN, "--data", "synthetic:300?size=16", "--out", net.string()};
  add(train, {"--architecture", architecture.string(), "--batch", "16", "--epochs", "4", "--lr", "10"});
  for (const auto& [program, directory] : {std::pair(arguments, out()), std::pair(train, net)}) {
    const Finished finished = run(program);
    if (finished.status != 0) expect_one_line(finished, failed, "architecture");
    int checkpoints = 0;
    for (const auto& entry : fs::directory_iterator(directory / "checkpoints")) {
      io::SafeTensors file = io::SafeTensors::load(entry.path().string());
      EXPECT_EQ(not_finite(file), "") << entry.path();
      ++checkpoints;
      auto& [name, tensor] = *file.tensors.rbegin();  // would it be found?
      ASSERT_EQ(tensor.dtype, DType::f32);
      const float nan = std::nanf("");
      std::memcpy(tensor.bytes.data() + tensor.bytes.size() - sizeof nan, &nan, sizeof nan);
      EXPECT_EQ(not_finite(file), name);
    }
    EXPECT_GE(checkpoints, 2) << finished.err;
  }
}

}  // namespace
}  // namespace adwp::test
