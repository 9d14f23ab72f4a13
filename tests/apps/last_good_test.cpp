#include "apps/common/last_good.h"

#include <gtest/gtest.h>

#include <limits>

#include "framework/io/atomic_file.h"
#include "nas/training/loss_log.h"
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
    log.mean();
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

}  // namespace
}  // namespace adwp::apps
