#include "apps/common/resumable_training.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>

#include "framework/io/atomic_file.h"
#include "nas/training/trainer.h"
#include "tests/support/device.h"
#include "tests/support/temporary_directory.h"

namespace adwp::apps {
namespace {

class OrLastGood : public test::DeviceTest {
 protected:
  void SetUp() override {
    test::DeviceTest::SetUp();
    if (IsSkipped()) return;
    store_.add("w", Shape{4}, nn::Decay::no, nn::Initial::constant(1));
    store_.build(arena(), 0);
  }
  std::string path() const { return (folder_.path() / "c.safetensors").string(); }
  io::CheckpointPair checkpoints() const { return {path(), store_, nullptr}; }

  // A training whose third loss is no number, read at the end of its epoch.
  void diverge() {
    nas::LossLog log(arena());
    for (int step = 1; step <= 4; ++step) {
      Tensor loss(arena(), Shape{1});
      const float value = step == 3 ? std::numeric_limits<float>::infinity() : 1.0f;
      loss.copy_from_host(std::span(&value, 1));
      log.add(loss, [step] { return fmt::format("step {}, architecture {{\"version\":1}}", step); });
    }
    log.means();
  }
  std::string message() {
    try {
      or_last_good(checkpoints(), "--lr", [&] { diverge(); });
    } catch (const nas::Diverged&) {
      return "went on as Diverged, which names no checkpoint";
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::failed);
      return error.what();
    }
    return "nothing was thrown";
  }

  test::TemporaryDirectory folder_;
  nn::ParameterStore store_;
};

TEST_P(OrLastGood, NamesStepCheckpointAndOption) {
  const std::string start = "[training] the loss is inf at step 3, architecture {\"version\":1}; ";
  const std::string end = "; lower --lr and start anew with another --out";
  EXPECT_EQ(message(), start + "no checkpoint was saved before" + end);
  checkpoints().save({});
  EXPECT_EQ(message(), start + "the last good checkpoint is " + path() + end);
  std::filesystem::rename(path(), io::previous_checkpoint(path()));
  EXPECT_EQ(message(), start + "the last good checkpoint is " + io::previous_checkpoint(path()) + end);
}

TEST_P(OrLastGood, LeavesOtherErrorsAsTheyAre) {
  int calls = 0;
  or_last_good(checkpoints(), "--lr", [&] { ++calls; });
  EXPECT_EQ(calls, 1);
  try {
    or_last_good(checkpoints(), "--lr", [] { fail("data", "gone"); });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[data] gone");
  }
}

ADWP_ON_EVERY_DEVICE(OrLastGood);

// Counts its batches in the first parameter; two batches per epoch, whose losses are 1.
class CountingTrainer : public nas::Trainer {
 public:
  CountingTrainer(Backend& backend, Arena& arena) : arena_(arena), log_(arena) {
    store_.add("w", Shape{4}, nn::Decay::no, nn::Initial::constant(0));
    store_.build(arena, 0);
    optimizer_.emplace(backend, arena, store_, optim::Sgd::Options{});
  }
  float batches() const { return store_.values().to_host<float>()[0]; }

  std::int64_t steps_per_epoch() const override { return 2; }
  const nn::ParameterStore& parameters() override { return store_; }
  optim::Optimizer& optimizer() override { return *optimizer_; }

 private:
  void run_batches(std::int64_t, std::int64_t first, const std::function<void(std::int64_t)>& done) override {
    for (std::int64_t batch = first; batch < 2; ++batch) {
      store_.values().copy_from_host(
          std::span<const float>(std::vector<float>(store_.values().elements(), batches() + 1)));
      log_.add(Tensor::from_host(arena_, Shape{1}, std::span<const float>(std::vector<float>{1})), {});
      done(batch + 1);
    }
  }
  nas::LossLog& losses() override { return log_; }

  Arena& arena_;
  nas::LossLog log_;
  nn::ParameterStore store_;
  std::optional<optim::Sgd> optimizer_;
};

class Resumable : public test::DeviceTest {
 protected:
  // One process: trains `epochs`, and is killed when `killed_in` are done but not saved. What it did, in
  // order.
  std::string process(std::int64_t epochs, std::int64_t killed_in, const std::string& whose = "mine",
                      bool saves_last_epoch = true) {
    struct Kill {};
    const Arena::Frame frame(arena());
    CountingTrainer trainer(backend(), arena());
    RunLog log(folder_.path() / "log.jsonl", true);
    ResumableTraining training(trainer, log,
                               {.checkpoint = folder_.path() / "c.safetensors",
                                .epochs = epochs,
                                .resumed = "resumed",
                                .learning_rate = "--lr",
                                .same = {{"whose", whose}},
                                .saves_last_epoch = saves_last_epoch});
    std::string did = fmt::format("from {}:", training.epochs_done());
    if (training.loaded()) did += " note " + training.loaded()->at("note");
    try {
      training.run({.facts =
                        [&] {
                          return ResumableTraining::Facts{{"note", did.substr(0, 6)}};
                        },
                    .show = [&](double done, std::optional<double>) { did += fmt::format(" {}", done); },
                    .record =
                        [&](std::int64_t done, double loss) {
                          did += fmt::format(" record {} {}", done, loss);
                          if (done == killed_in) throw Kill{};
                        },
                    .saved = [&](std::int64_t done) { did += fmt::format(" saved {}", done); }});
    } catch (const Kill&) {
      did += " killed";
    }
    return did + fmt::format(", {} batches", trainer.batches());
  }

  test::TemporaryDirectory folder_;
};

TEST_P(Resumable, GoesOnFromTheLastEpochThatWasSaved) {
  EXPECT_EQ(process(3, 2), "from 0: 0.5 1 record 1 1 saved 1 1.5 2 record 2 1 killed, 4 batches");
  EXPECT_EQ(process(3, 0),
            "from 1: note from 0 1.5 2 record 2 1 saved 2 2.5 3 record 3 1 saved 3, 6 batches");
  EXPECT_EQ(process(3, 0), "from 3: note from 1, 6 batches") << "all is done";
}

TEST_P(Resumable, TakesNoCheckpointOfAnotherTraining) {
  process(2, 0);
  EXPECT_EQ(process(1, 0, "another's"), "from 0: 0.5 1 record 1 1 saved 1, 2 batches");
}

TEST_P(Resumable, LeavesTheLastEpochToWhoKeepsTheOutcome) {
  process(3, 0, "mine", false);
  EXPECT_EQ(process(3, 0, "mine", false), "from 2: note from 0 2.5 3 record 3 1 saved 3, 6 batches");
}

ADWP_ON_EVERY_DEVICE(Resumable);

}  // namespace
}  // namespace adwp::apps
