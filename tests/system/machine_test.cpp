// The machine as it is: threads that are asked for and do not come, cores that others use, another number of
// cores after a resume. No bit may depend on it.
#include <gtest/gtest.h>

#include <filesystem>

#include "framework/io/atomic_file.h"
#include "tests/support/device.h"
#include "tests/support/images.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/system/tiny_search.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;

class Machine : public testing::Test {
 protected:
  Machine() {
    if (open_device("cpu") == nullptr) return;
    Arguments search = tiny_search("synthetic:200?size=8", place() / "search");
    add(search, {"--space", "tiny", "--device", "cpu", "--threads", "1", "--hyper-width", "16"});
    const Finished finished = run(search);
    EXPECT_EQ(finished.status, 0) << finished.err;
  }
  void SetUp() override {
    if (open_device("cpu") == nullptr) GTEST_SKIP() << "no device cpu here";
  }
  fs::path place() const { return place_.path(); }

  Arguments train(const std::string& name) const {
    return {ADWP_TRAIN,
            "--architecture",
            (place() / "search/best.json").string(),
            "--data",
            "synthetic:300?size=16",
            "--epochs",
            "2",
            "--device",
            "cpu",
            "--out",
            (place() / name).string()};
  }
  // What a training leaves when it is started by `command` (empty: as it is) with `more` options.
  std::string trained(const std::string& name, const Arguments& command, const Arguments& more) {
    Arguments arguments = command;
    const Arguments own = train(name);
    arguments.insert(arguments.end(), own.begin(), own.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = run(arguments);
    EXPECT_EQ(finished.status, 0) << name << ": " << finished.err;
    return finished.status == 0 ? tensors_of(place() / name / "checkpoints/network.safetensors") : "";
  }

 private:
  TemporaryDirectory place_;
};

TEST_F(Machine, NoBitDependsOnTheNumberOfThreads) {
  const std::string one = trained("one", {}, {"--threads", "1"});
  for (const char* threads : {"2", "3", "5"})
    EXPECT_TRUE(trained(threads, {}, {"--threads", threads}) == one);
}

TEST_F(Machine, ThreadsThatDoNotComeAreNotWaitedFor) {
  const std::string one = trained("one", {}, {"--threads", "1"});
  const Arguments timeout{"/usr/bin/timeout", "60", "/usr/bin/env"};
  const auto with = [&](const Arguments& more) {
    Arguments command = timeout;
    command.insert(command.end(), more.begin(), more.end());
    return command;
  };
  EXPECT_TRUE(trained("limit", with({"OMP_THREAD_LIMIT=1"}), {"--threads", "2"}) == one);
  EXPECT_TRUE(trained("dynamic", with({"OMP_DYNAMIC=true"}), {"--threads", "2"}) == one);
  EXPECT_TRUE(trained("number", with({"OMP_NUM_THREADS=3"}), {}) == one);
  EXPECT_TRUE(trained("many", with({"OMP_NUM_THREADS=100000"}), {}) == one) << "as many as --threads may be";
  EXPECT_TRUE(trained("passive", with({"OMP_WAIT_POLICY=passive"}), {"--threads", "2"}) == one);
  EXPECT_TRUE(trained("affinity", with({"taskset", "-c", "0"}), {"--threads", "2"}) == one);
}

TEST_F(Machine, ASearchHasTheSameBitsForAnyNumberOfThreads) {
  const auto searched = [&](const std::string& name, const char* threads) {
    Arguments search = tiny_search("synthetic:200?size=8", place() / name);
    add(search, {"--space", "tiny", "--device", "cpu", "--threads", threads, "--rank-sample", "9"});
    EXPECT_EQ(run(search).status, 0);
    nlohmann::json result = without_times(read_json(place() / name / "result.json"));
    result.erase("device");  // it tells the number of threads
    result.erase("arena");
    return result.dump() + tensors_of(place() / name / "checkpoints/hypernetwork.safetensors");
  };
  const std::string one = searched("one", "1");
  EXPECT_TRUE(searched("two", "2") == one);
  EXPECT_TRUE(searched("four", "4") == one);
}

TEST_F(Machine, ARunGoesOnWhereItsDataAndArchitectureHaveMovedWithOtherThreads) {
  const fs::path data = place() / "images", moved = place() / "elsewhere/pictures";
  const auto arguments = [&](const fs::path& folder, const char* threads, const char* epochs) {
    return Arguments{ADWP_TRAIN,
                     "--architecture",
                     (place() / "search/best.json").string(),
                     "--data",
                     "folder:" + folder.string(),
                     "--epochs",
                     epochs,
                     "--batch",
                     "8",
                     "--device",
                     "cpu",
                     "--threads",
                     threads,
                     "--out",
                     (place() / "net").string()};
  };
  for (const char* split : {"train", "test"}) {
    for (const char* name : {"cat", "dog"}) {
      for (int i = 0; i < 20; ++i) {
        write_png(data / split / name / (std::to_string(i) + ".png"), 8, 8,
                  10 * i + (name[0] == 'c' ? 1 : 0));
      }
    }
  }
  Finished finished = run(arguments(data, "2", "2"));
  ASSERT_EQ(finished.status, 0) << finished.err;
  fs::create_directories(moved.parent_path());
  fs::rename(data, moved);
  Arguments resumed = arguments(moved, "1", "2");
  resumed.push_back("--resume");
  fs::rename(place() / "search/best.json", place() / "network.json");
  resumed[2] = (place() / "network.json").string();
  finished = run(resumed);
  EXPECT_EQ(finished.status, 0) << finished.err;
  // What is said in other words is the same; what is not, is not.
  Arguments words = resumed;
  words.insert(words.end(), {"--augment", "shift,flip"});
  finished = run(words);
  EXPECT_EQ(finished.status, 0) << finished.err;
  words.back() = "shift";
  finished = run(words);
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("the augmentation differs"), std::string::npos) << finished.err;
  const std::string json = bytes_of(place() / "network.json");
  std::string other = json;
  const std::size_t value = other.find('"', other.find("activation") + 11), end = other.find('"', value + 1);
  other.replace(value, end + 1 - value, other.find("silu") == other.npos ? "\"silu\"" : "\"relu\"");
  io::write_atomically((place() / "network.json").string(), other);
  finished = run(resumed);
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("the architecture differs"), std::string::npos) << finished.err;
  io::write_atomically((place() / "network.json").string(), json);
  // Other data under the old name are refused by what they are.
  write_png(moved / "train/cat/0.png", 8, 8, 255);
  finished = run(resumed);
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("the data differs"), std::string::npos) << finished.err;
}

}  // namespace
}  // namespace adwp::test
