// Runs that are killed, interrupted or find their files damaged, and come to the same bits nonetheless.
// tests/system/kill_and_resume.sh is the long version, with many random kills.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "framework/io/atomic_file.h"
#include "framework/io/safetensors.h"
#include "nas/store/database.h"
#include "nas/store/run_store.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/system/tiny_search.h"

namespace adwp::test {
namespace {

namespace fs = std::filesystem;

constexpr int failed = 1, wrong_use = 2, interrupted = 130, killed = 128 + SIGKILL;
constexpr const char* hypernetwork = "checkpoints/hypernetwork.safetensors";

Arguments resumed(Arguments arguments) {
  arguments.push_back("--resume");
  return arguments;
}

void flip_a_byte(const fs::path& path) {
  const auto middle = static_cast<std::streamoff>(fs::file_size(path) / 2);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(middle);
  const int byte = file.get();
  file.seekp(middle);
  file.put(static_cast<char>(byte ^ 1));
}

// One undisturbed search serves all tests: small, but with epochs to be killed between in every phase.
class Resume : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryDirectory;
    const Finished finished = run(search(undisturbed()));
    ASSERT_EQ(finished.status, 0) << finished.err;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  static fs::path undisturbed() { return folder_->path() / "undisturbed"; }
  static Arguments search(const fs::path& out) {
    Arguments arguments = tiny_search("synthetic:300?size=16", out);
    add(arguments, {"--hyper-epochs", "3", "--rank-sample", "3", "--rank-epochs", "2", "--population", "6",
                    "--generations", "4", "--finalists", "3", "--finalist-epochs", "4", "--halvings", "1",
                    "--threads", "1"});
    return arguments;
  }
  fs::path out() const { return place_.path() / "run"; }

  // Runs until `line` is on the pipe, and kills.
  void kill_after(const Arguments& arguments, const std::string& line) {
    Process process(arguments);
    ASSERT_TRUE(process.wait_for(line)) << line << "\n" << process.wait().err;
    process.signal(SIGKILL);
    EXPECT_EQ(process.wait().status, killed) << line;
  }

  static void expect_undisturbed(const fs::path& path) { expect_equal(path, undisturbed()); }
  static void expect_equal(const fs::path& path, const fs::path& other) {
    EXPECT_EQ(without_times(read_json(path / "result.json")),
              without_times(read_json(other / "result.json")));
    EXPECT_EQ(bytes_of(path / "best.json"), bytes_of(other / "best.json"));
    for (const auto& entry : fs::directory_iterator(other / "checkpoints")) {
      const std::string name = entry.path().filename();
      EXPECT_TRUE(bytes_of(path / "checkpoints" / name) == bytes_of(entry.path())) << name;
    }
    EXPECT_TRUE(database_contents(path) == database_contents(other));
  }

 private:
  // All but the seconds, as text.
  static std::string database_contents(const fs::path& path) {
    const nas::Database database((path / "search.db").string());
    std::string text;
    for (const auto& [table, columns] :
         {std::pair{"rank_sample", 9}, {"generations", 3}, {"candidates", 14}, {"finalists", 3}}) {
      nas::Statement row = database.prepare(std::string("SELECT * FROM ") + table);
      while (row.step()) {
        for (int column = 0; column < columns; ++column) text += row.text(column) + "|";
        text += "\n";
      }
    }
    return text;
  }

  static inline TemporaryDirectory* folder_ = nullptr;
  TemporaryDirectory place_;
};

TEST_F(Resume, ASearchKilledInEveryPhaseComesToTheSameBits) {
  Arguments arguments = search(out());
  for (const char* line : {"HyperNetwork  33 %", "HyperNetwork 100 %", "rank sample   67 %",
                           "evolution     40 %", "finalists", "finalists     75 %"}) {
    kill_after(arguments, line);
    if (HasFatalFailure()) return;
    arguments = resumed(search(out()));
  }
  const Finished finished = run(arguments);
  ASSERT_EQ(finished.status, 0) << finished.err;
  expect_undisturbed(out());
  // And once more, when all is done.
  EXPECT_EQ(run(arguments).status, 0);
  expect_undisturbed(out());
}

// The second rung goes on from checkpoints of the first. One that is lost is made again.
TEST_F(Resume, ARungThatGoesOnComesToTheSameBitsWithoutItsCheckpoints) {
  kill_after(search(out()), "finalists     75 %");
  int lost = 0;
  for (const auto& entry : fs::directory_iterator(out() / "checkpoints")) {
    if (entry.path().filename().string().starts_with("training-")) lost += fs::remove(entry.path());
  }
  EXPECT_GE(lost, 1);
  const Finished finished = run(resumed(search(out())));
  ASSERT_EQ(finished.status, 0) << finished.err;
  expect_undisturbed(out());
  for (const auto& entry : fs::directory_iterator(out() / "checkpoints")) {
    EXPECT_FALSE(entry.path().filename().string().starts_with("training-")) << entry.path();
  }
}

// Without its store a search begins anew, with checkpoints that are further than it is.
TEST_F(Resume, WithoutItsStoreCheckpointsOfALaterRungAreNotTakenForAnEarlierOne) {
  Process process(search(out()));
  ASSERT_TRUE(process.wait_for("finalists     75 %")) << process.wait().err;
  process.signal(SIGINT);
  ASSERT_EQ(process.wait().status, interrupted);
  for (const char* file : {"search.db", "search.db-wal", "search.db-shm"}) fs::remove(out() / file);
  const Finished finished = run(resumed(search(out())));
  ASSERT_EQ(finished.status, 0) << finished.err;
  expect_undisturbed(out());
}

TEST_F(Resume, AnEnsembleKilledWithinAndBetweenItsMembersComesToTheSameBits) {
  const auto ensemble = [&](const fs::path& path) {
    Arguments arguments = search(path);
    add(arguments, {"--hypernetworks", "3", "--rank-sample", "0", "--finalists", "0", "--generations", "0"});
    return arguments;
  };
  const fs::path whole = out().parent_path() / "whole";
  ASSERT_EQ(run(ensemble(whole)).status, 0);
  Arguments arguments = ensemble(out());
  for (const char* line : {"HyperNetwork  33 %", "HyperNetwork  56 %"}) {
    kill_after(arguments, line);
    if (HasFatalFailure()) return;
    arguments = resumed(ensemble(out()));
  }
  const Finished finished = run(arguments);
  ASSERT_EQ(finished.status, 0) << finished.err;
  expect_equal(out(), whole);
  // Its first member is the HyperNetwork of a search that has one.
  EXPECT_TRUE(tensors_of(out() / hypernetwork) == tensors_of(undisturbed() / hypernetwork));
}

TEST_F(Resume, ASearchKilledAtRandomMomentsComesToTheSameBits) {
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> moment(100, 3000);
  Arguments arguments = search(out());
  std::string moments;
  for (int kills = 0; kills < 2; ++kills) {
    const int wait = moment(random);
    moments += std::to_string(wait) + " ms, ";
    Process process(arguments);
    std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    process.signal(SIGKILL);
    process.wait();
    if (fs::exists(out())) arguments = resumed(search(out()));
  }
  const Finished finished = run(arguments);
  ASSERT_EQ(finished.status, 0) << moments << finished.err;
  SCOPED_TRACE("killed after " + moments);
  expect_undisturbed(out());
}

TEST_F(Resume, CtrlCSavesAndSaysHowToGoOn) {
  Process process(search(out()));
  ASSERT_TRUE(process.wait_for("HyperNetwork  33 %"));
  process.signal(SIGINT);
  const Finished stopped = process.wait();
  EXPECT_EQ(stopped.status, interrupted);
  const std::string last = stopped.err.substr(stopped.err.rfind('\n', stopped.err.size() - 2) + 1);
  EXPECT_TRUE(last.starts_with("interrupted: ")) << last;
  EXPECT_NE(last.find("search --config " + (out() / "config.toml").string() + " --resume"),
            std::string::npos);
  const Finished finished = run({ADWP_SEARCH, "--config", (out() / "config.toml").string(), "--resume"});
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_NE(finished.err.find("resumed HyperNetwork training after epoch"), std::string::npos);
  expect_undisturbed(out());
}

// In the middle of an epoch, of each kind of training: what was done of it is not done again.
TEST_F(Resume, CtrlCWithinAnEpochGoesOnFromTheBatch) {
  Arguments arguments = search(out());
  for (const auto& [line, file] : {std::pair{"HyperNetwork  33 %", "hypernetwork"},
                                   {"rank sample   33 %", "training-"},
                                   {"finalists", "training-"}}) {
    Process process(arguments);
    ASSERT_TRUE(process.wait_for(line)) << line << process.wait().err;
    process.signal(SIGINT);
    const Finished stopped = process.wait();
    ASSERT_EQ(stopped.status, interrupted) << line << stopped.err;
    fs::path saved;
    for (const auto& entry : fs::directory_iterator(out() / "checkpoints")) {
      const std::string name = entry.path().filename();
      if (name.starts_with(file) && name.ends_with(".interrupted.safetensors")) saved = entry.path();
    }
    ASSERT_FALSE(saved.empty()) << line << stopped.err;
    const auto facts = io::SafeTensors::load(saved.string()).metadata;
    EXPECT_GT(std::stoi(facts.at("batches")), 0) << line;
    arguments = resumed(search(out()));
    // The next start says where it goes on, and is killed or interrupted itself.
    Process again(arguments);
    const std::string from = "after epoch " + facts.at("epochs") + ", batch " + facts.at("batches");
    EXPECT_TRUE(again.wait_for(from)) << from << again.wait().err;
    again.signal(SIGKILL);
    again.wait();
  }
  const Finished finished = run(arguments);
  ASSERT_EQ(finished.status, 0) << finished.err;
  expect_undisturbed(out());
  for (const auto& entry : fs::directory_iterator(out() / "checkpoints")) {
    EXPECT_TRUE(fs::exists(undisturbed() / "checkpoints" / entry.path().filename())) << entry.path();
  }
}

TEST_F(Resume, ADamagedInterruptedCheckpointFallsBackToTheEpoch) {
  Process process(search(out()));
  ASSERT_TRUE(process.wait_for("HyperNetwork  33 %"));
  process.signal(SIGINT);
  ASSERT_EQ(process.wait().status, interrupted);
  flip_a_byte(out() / "checkpoints/hypernetwork.interrupted.safetensors");
  const Finished finished = run(resumed(search(out())));
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_NE(finished.err.find("hypernetwork.interrupted.safetensors is damaged"), std::string::npos);
  fs::remove(out() / "checkpoints/hypernetwork.damaged.safetensors");
  expect_undisturbed(out());
}

TEST_F(Resume, ADamagedCheckpointIsNamedAndTheOneBeforeItUsed) {
  fs::copy(undisturbed(), out(), fs::copy_options::recursive);
  flip_a_byte(out() / hypernetwork);
  const Finished finished = run(resumed(search(out())));
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_NE(finished.err.find("hypernetwork.safetensors is damaged"), std::string::npos) << finished.err;
  EXPECT_NE(finished.err.find("resumed HyperNetwork training after epoch 2"), std::string::npos);
  expect_undisturbed(out());
}

TEST_F(Resume, DamagedAndForeignDatabasesAreRefused) {
  fs::copy(undisturbed(), out(), fs::copy_options::recursive);
  const fs::path database = out() / "search.db";
  const auto expect_refusal = [&](int status, const std::string& says) {
    Arguments arguments = resumed(search(out()));
    arguments.push_back("--quiet");
    const Finished refused = run(arguments);
    EXPECT_EQ(refused.status, status) << refused.err;
    EXPECT_TRUE(refused.err.starts_with("error: [store] ")) << refused.err;
    EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
    EXPECT_NE(refused.err.find(says), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find(database.string()), std::string::npos) << refused.err;
  };
  constexpr int schema = nas::RunStore::schema;
  nas::Database(database.string()).run("PRAGMA user_version = " + std::to_string(schema + 1));
  expect_refusal(wrong_use, "another version, got schema " + std::to_string(schema + 1) + ", expected " +
                                std::to_string(schema));
  nas::Database(database.string()).run("PRAGMA application_id = 7");
  expect_refusal(wrong_use, "no database of a search");
  std::ofstream(database, std::ios::binary) << std::string(10'000, 'x');
  expect_refusal(failed, "is damaged");
  // Cut in the middle, as a copy to a full disk may be.
  fs::copy_file(undisturbed() / "search.db", database, fs::copy_options::overwrite_existing);
  fs::resize_file(database, fs::file_size(database) / 2);
  expect_refusal(failed, "is damaged");
  // What the message advises.
  fs::remove(database);
  EXPECT_EQ(run(resumed(search(out()))).status, 0);
  expect_undisturbed(out());
}

TEST_F(Resume, ADirectoryHasOneProcess) {
  Process first(search(out()));
  ASSERT_TRUE(first.wait_for("HyperNetwork  33 %"));
  const Finished second = run(resumed(search(out())));
  EXPECT_EQ(second.status, wrong_use);
  EXPECT_TRUE(second.err.starts_with("error: [out] ")) << second.err;
  EXPECT_NE(second.err.find("in use by another process"), std::string::npos) << second.err;
}

TEST_F(Resume, WhatWouldChangeTheBitsIsRefusedByName) {
  fs::copy(undisturbed(), out(), fs::copy_options::recursive);
  const auto expect_refusal = [&](const Arguments& changed, const std::string& says) {
    Arguments arguments = resumed(search(out()));
    add(arguments, changed);
    const Finished refused = run(arguments);
    EXPECT_EQ(refused.status, wrong_use) << says;
    EXPECT_NE(refused.err.find(says), std::string::npos) << refused.err;
  };
  expect_refusal({"--seed", "7"}, "--seed differs");
  expect_refusal({"--generations", "9"}, "--generations differs");
  if (read_json(undisturbed() / "result.json")["device"].get<std::string>().starts_with("cpu")) {
    expect_refusal({"--device", "emulated"}, "the device differs");
  }
  std::string config = bytes_of(out() / "config.toml");
  const std::size_t at = config.find("found-data = \"");
  ASSERT_NE(at, std::string::npos);
  config.replace(at, std::string("found-data = \"0123").size(), "found-data = \"0000");
  io::write_atomically((out() / "config.toml").string(), config);
  expect_refusal({}, "the data differs");
}

TEST_F(Resume, ATrainingKilledAndInterruptedComesToTheSameBits) {
  const auto train = [&](const fs::path& to) {
    return Arguments{ADWP_TRAIN,
                     "--architecture",
                     (undisturbed() / "best.json").string(),
                     "--data",
                     "synthetic:600?size=16",
                     "--out",
                     to.string(),
                     "--batch",
                     "32",
                     "--epochs",
                     "6",
                     "--threads",
                     "1"};
  };
  const fs::path whole = out() / "whole", broken = out() / "broken";
  ASSERT_EQ(run(train(whole)).status, 0);
  kill_after(train(broken), "train         33 %");
  Process process(resumed(train(broken)));
  ASSERT_TRUE(process.wait_for("train         50 %"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait().status, interrupted);
  const auto facts =
      io::SafeTensors::load((broken / "checkpoints/network.interrupted.safetensors").string()).metadata;
  EXPECT_GT(std::stoi(facts.at("batches")), 0);
  const fs::path damaged = out() / "damaged";  // the same, with neither this checkpoint nor the epoch's
  fs::copy(broken, damaged, fs::copy_options::recursive);
  for (const char* name : {"network.interrupted.safetensors", "network.safetensors"}) {
    flip_a_byte(damaged / "checkpoints" / name);
  }
  const std::string of_batch = "resumed after epoch " + facts.at("epochs") + ", batch " + facts.at("batches");
  for (const auto& [path, says] :
       {std::pair{broken, of_batch + "\n"}, {damaged, std::string("network.safetensors is damaged")}}) {
    const Finished finished = run(resumed(train(path)));
    ASSERT_EQ(finished.status, 0) << finished.err;
    EXPECT_NE(finished.err.find(says), std::string::npos) << finished.err;
    EXPECT_EQ(without_times(read_json(path / "result.json")),
              without_times(read_json(whole / "result.json")));
    for (const char* name : {"network.safetensors", "network.previous.safetensors"}) {
      EXPECT_EQ(bytes_of(path / "checkpoints" / name), bytes_of(whole / "checkpoints" / name)) << name;
    }
    EXPECT_FALSE(fs::exists(path / "checkpoints/network.interrupted.safetensors"));
  }
}

}  // namespace
}  // namespace adwp::test
