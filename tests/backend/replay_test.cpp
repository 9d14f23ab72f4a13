// Work that is recorded and replayed: the same bits as work that is called, on memory that is still free.
#include "framework/backend/replay.h"

#include "framework/core/error.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

class ReplayTest : public DeviceTest {
 protected:
  // On arenas of their own: DeviceTest's has sentinels, which the host reads.
  Tensor ones(Arena& a) const {
    return Tensor::from_host(a, Shape{4}, std::span<const float>(std::vector<float>(4, 1.0f)));
  }
  bool records() {
    Arena a(backend(), 4096);
    const Tensor x(a, Shape{4});
    return backend().capture([&] { x.zero(); }) != nullptr;
  }
};

TEST_P(ReplayTest, CpuCallsTheOthersRecord) { EXPECT_EQ(records(), backend().name() != "cpu"); }

TEST_P(ReplayTest, RecordingDoesNothingYet) {
  if (!records()) GTEST_SKIP() << "this device records nothing";
  Arena a(backend(), 4096);
  const Tensor x = ones(a);
  const auto graph = backend().capture([&] {
    backend().compute(Add{x, x, x});
    backend().compute(Add{x, x, x});
  });
  EXPECT_EQ(x.to_host<float>(), std::vector<float>(4, 1.0f));
  graph->launch();
  EXPECT_EQ(x.to_host<float>(), std::vector<float>(4, 4.0f));
  graph->launch();
  EXPECT_EQ(x.to_host<float>(), std::vector<float>(4, 16.0f));
}

// Every run counts once; kernels, fills and copies, with memory of the work's own.
TEST_P(ReplayTest, EachRunDoesTheWorkOnce) {
  Arena a(backend(), 1 << 16);
  const Tensor x = ones(a), sum(a, Shape{4});
  sum.zero();
  int calls = 0;
  Replay replay(backend(), a, [&] {
    ++calls;
    const Tensor zero(a, Shape{4}), twice(a, Shape{4});
    zero.zero();
    backend().compute(Add{x, x, twice});
    backend().compute(Add{zero, twice, twice});
    zero.copy_from(sum);
    backend().compute(Add{zero, twice, sum});
  });
  const std::size_t before = a.in_use();
  for (int i = 1; i <= 5; ++i) {
    replay.run();
    EXPECT_EQ(sum.to_host<float>(), std::vector<float>(4, 2.0f * static_cast<float>(i)));
  }
  EXPECT_EQ(calls, records() ? 2 : 5);
  EXPECT_EQ(a.in_use(), before);
}

// What is read from the device may change between runs.
TEST_P(ReplayTest, ReadsTheContentsOfTheMoment) {
  Arena a(backend(), 1 << 16);
  const Tensor x = ones(a), y(a, Shape{4});
  Replay replay(backend(), a, [&] { backend().compute(Add{x, x, y}); });
  for (float value : {1.0f, 2.0f, 3.0f, 4.0f}) {
    x.copy_from_host(std::span<const float>(std::vector<float>(4, value)));
    replay.run();
    EXPECT_EQ(y.to_host<float>(), std::vector<float>(4, 2 * value));
  }
}

TEST_P(ReplayTest, MemoryTakenSinceIsLeftAlone) {
  Arena a(backend(), 1 << 16);
  const Tensor x = ones(a), y(a, Shape{4});
  Replay replay(backend(), a, [&] {
    const Tensor own(a, Shape{4});
    backend().compute(Add{x, x, own});
    backend().compute(Add{own, x, y});
  });
  for (int i = 0; i < 3; ++i) replay.run();
  const Tensor late = ones(a);  // where `own` was
  y.zero();
  replay.run();
  EXPECT_EQ(late.to_host<float>(), std::vector<float>(4, 1.0f));
  EXPECT_EQ(y.to_host<float>(), std::vector<float>(4, 3.0f));
}

TEST_P(ReplayTest, RecordedWorkMayNotAskTheHost) {
  if (!records()) GTEST_SKIP() << "this device records nothing";
  Arena a(backend(), 1 << 16);
  const Tensor x = ones(a);
  const std::vector<std::function<void()>> refused = {
      [&] { x.to_host<float>(); },
      [&] { ones(a); },
      [&] { backend().synchronize(); },
      [&] { Arena another(backend(), 4096); },
  };
  for (const auto& work : refused) {
    Replay replay(backend(), a, [&] {
      backend().compute(Add{x, x, x});
      work();
    });
    EXPECT_NO_THROW(replay.run()) << "called as it is";
    EXPECT_THROW(replay.run(), Error);
    // The device is none the worse.
    const Tensor y = ones(a);
    backend().compute(Add{y, y, y});
    EXPECT_EQ(y.to_host<float>(), std::vector<float>(4, 2.0f));
  }
}

TEST_P(ReplayTest, CallsWhereEveryTensorIsChecked) {
  const Tensor x = ones(arena());
  int calls = 0;
  Replay replay(backend(), arena(), [&] {
    ++calls;
    backend().compute(Add{x, x, x});
  });
  for (int i = 0; i < 4; ++i) replay.run();
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(x.to_host<float>(), std::vector<float>(4, 16.0f));
}

TEST_P(ReplayTest, CallsWhileAProfileIsAttached) {
  Arena a(backend(), 1 << 16);
  const Tensor x = ones(a);
  Replay replay(backend(), a, [&] { backend().compute(Add{x, x, x}); });
  replay.run();
  replay.run();
  Profile profile;
  backend().attach(&profile);
  replay.run();
  backend().attach(nullptr);
  EXPECT_EQ(profile.rows["add"].calls, 1);
  EXPECT_EQ(x.to_host<float>(), std::vector<float>(4, 8.0f));
}

TEST_P(ReplayTest, TheLayoutTellsWhatIsTaken) {
  Arena a(backend(), 1 << 16);
  const std::uint64_t empty = a.layout();
  const auto first = a.allocate(100);
  const std::uint64_t one = a.layout();
  EXPECT_NE(one, empty);
  {
    const Arena::Frame frame(a);
    const auto second = a.allocate(100);
    EXPECT_NE(a.layout(), one);
  }
  EXPECT_EQ(a.layout(), one);
  const auto larger = a.allocate(300);
  const std::uint64_t two = a.layout();
  EXPECT_NE(two, one);
}

TEST_P(ReplayTest, SecondsOfWorkThatTakesSome) {
  Arena a(backend(), 1 << 16);
  const Tensor x = ones(a);
  EXPECT_GT(backend().seconds([&] { backend().compute(Add{x, x, x}); }), 0);
  EXPECT_EQ(x.to_host<float>(), std::vector<float>(4, 2.0f));
}

ADWP_ON_EVERY_DEVICE(ReplayTest);

}  // namespace
}  // namespace adwp::test
