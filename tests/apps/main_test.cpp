#include "apps/common/main.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <new>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

struct Outcome {
  int code;
  std::string errors;
};

Outcome outcome(const std::function<void()>& body) {
  testing::internal::CaptureStderr();
  const int code = run_main(0, nullptr, [&](int, char**) { body(); });
  return {code, testing::internal::GetCapturedStderr()};
}

TEST(RunMain, TurnsErrorsIntoOneLineAndAnExitCode) {
  const Outcome done = outcome([] {});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.errors, "");

  const Outcome failed = outcome([] { fail("data", "file {} is\ncut short", "x"); });
  EXPECT_EQ(failed.code, 1);
  EXPECT_EQ(failed.errors, "error: [data] file x is\\ncut short\n");

  const Outcome usage = outcome([] { fail_usage("options", "no such option"); });
  EXPECT_EQ(usage.code, 2);
  EXPECT_EQ(usage.errors, "error: [options] no such option\n");

  EXPECT_EQ(outcome([] { throw std::bad_alloc(); }).code, 1);
  const Outcome other = outcome([] { throw std::runtime_error("broken"); });
  EXPECT_EQ(other.code, 1);
  EXPECT_EQ(other.errors, "error: [internal] broken\n");
}

TEST(RunMain, StopsWhereItIsAskedWhetherItWasInterrupted) {
  const Outcome undisturbed = outcome([] { stop_if_interrupted(); });
  EXPECT_EQ(undisturbed.code, 0);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    EXPECT_EXIT(
        {
          std::signal(signal, SIG_DFL);  // where tests run in the background, SIGINT is ignored
          std::exit(run_main(0, nullptr, [=](int, char**) {
            note_interrupts("search", "run/config.toml");
            std::raise(signal);
            stop_if_interrupted();
          }));
        },
        testing::ExitedWithCode(130), "interrupted: .*search --config run/config.toml --resume");
  }
}

}  // namespace
}  // namespace adwp::apps
