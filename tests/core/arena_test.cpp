#include "framework/core/arena.h"

#include <cstdlib>
#include <cstring>

#include "framework/core/error.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

class ArenaTest : public DeviceTest {
 protected:
  Arena make(std::size_t bytes, bool guard = false) {
    return Arena(backend(), bytes, Arena::Options{.guard = guard});
  }
};

TEST_P(ArenaTest, ReturnsABlockWithItsLastHolder) {
  Arena a = make(4096);
  auto first = a.allocate(1000);
  const auto copy = first;
  EXPECT_EQ(a.in_use(), 1024u);
  first.reset();
  EXPECT_EQ(a.in_use(), 1024u);
}

TEST_P(ArenaTest, AlignsEveryBlockTo256Bytes) {
  Arena a = make(8192);
  for (std::size_t bytes : {1u, 255u, 256u, 257u}) {
    const auto block = a.allocate(bytes);
    const auto next = a.allocate(1);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block->data()) % 256, 0u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(next->data()) % 256, 0u);
  }
}

TEST_P(ArenaTest, TakesTheSmallestGapThatFits) {
  Arena a = make(16384);
  auto large = a.allocate(2048);
  const auto wall = a.allocate(256);
  auto small = a.allocate(512);
  const auto end = a.allocate(256);
  const std::byte* gap = small->data();
  large.reset();
  small.reset();
  EXPECT_EQ(a.allocate(500)->data(), gap);
}

TEST_P(ArenaTest, JoinsNeighbouringGaps) {
  Arena a = make(4096);
  auto one = a.allocate(1024), two = a.allocate(1024), three = a.allocate(1024);
  const auto last = a.allocate(1024);
  const std::byte* start = one->data();
  one.reset();
  three.reset();
  two.reset();
  EXPECT_EQ(a.allocate(3072)->data(), start);
}

TEST_P(ArenaTest, AFrameGivesBackWhatWasTakenInIt) {
  Arena a = make(8192);
  const auto lasting = a.allocate(256);
  std::shared_ptr<Block> stray;
  {
    const Arena::Frame outer(a);
    stray = a.allocate(1024);
    {
      const Arena::Frame inner(a);
      const auto block = a.allocate(512);
      EXPECT_EQ(a.in_use(), 256u + 1024u + 512u);
    }
    EXPECT_EQ(a.in_use(), 256u + 1024u);
    EXPECT_NO_THROW(stray->data());
  }
  EXPECT_EQ(a.in_use(), 256u);
  EXPECT_THROW(stray->data(), Error);
  stray.reset();  // must not give back what is no longer its own
  EXPECT_EQ(a.in_use(), 256u);
}

TEST_P(ArenaTest, TheSameStepFindsTheSameAddresses) {
  Arena a = make(8192);
  auto step = [&] {
    const Arena::Frame frame(a);
    const auto x = a.allocate(1000), y = a.allocate(300);
    return std::pair(x->data(), y->data());
  };
  const auto first = step();
  EXPECT_EQ(step(), first);
}

TEST_P(ArenaTest, RunningOutNamesNeedSizeAndRemedy) {
  Arena a = make(1 << 20);
  const auto held = a.allocate(1 << 19);
  try {
    a.allocate(1 << 20);
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("1048576"), std::string::npos) << what;
    EXPECT_NE(what.find("524288"), std::string::npos) << what;
    EXPECT_NE(what.find("--arena-mb"), std::string::npos) << what;
  }
}

TEST_P(ArenaTest, ACountingArenaTellsTheSizeThatSuffices) {
  auto work = [](Arena& a) {
    const auto lasting = a.allocate(5000);
    for (int i = 1; i < 5; ++i) {
      const Arena::Frame frame(a);
      auto x = a.allocate(static_cast<std::size_t>(i) * 3000);
      const auto y = a.allocate(700);
      x.reset();
      const auto z = a.allocate(static_cast<std::size_t>(i) * 2500);
    }
  };
  Arena counting = Arena::counting(backend());
  const std::int64_t allocations = backend().counters().allocations;
  work(counting);
  EXPECT_EQ(backend().counters().allocations, allocations);
  Arena exact = make(counting.peak());
  EXPECT_NO_THROW(work(exact));
  Arena less = make(counting.peak() - Arena::alignment);
  EXPECT_THROW(work(less), Error);
}

TEST_P(ArenaTest, ARehearsalComesAsFarAsTheWorkItself) {
  Arena a = make(64 << 10);
  auto gap = a.allocate(3000);
  const auto held = a.allocate(1000);
  gap.reset();
  a.allocate(20'000).reset();
  const auto work = [](Arena& in) {
    const Arena::Frame frame(in);
    const auto in_the_gap = in.allocate(2000), behind = in.allocate(6000);
  };
  const std::uint64_t layout = a.layout();
  Arena rehearsal = Arena::rehearsal(a);
  EXPECT_TRUE(rehearsal.counting());
  work(rehearsal);
  EXPECT_EQ(a.layout(), layout);
  a.forget_peak();
  const std::size_t before = a.peak();
  work(a);
  EXPECT_EQ(rehearsal.peak(), a.peak());
  EXPECT_GT(a.peak(), before + 6000);
  EXPECT_LT(a.peak(), before + 8000) << "the gap is used";
  const auto more = rehearsal.allocate(1 << 20);
  EXPECT_GT(rehearsal.peak(), std::size_t{1} << 20) << "where the arena would fail";
}

TEST_P(ArenaTest, APeakCountsFromWhereItWasForgotten) {
  Arena a = make(64 << 10);
  const auto held = a.allocate(1000);
  const std::size_t before = a.peak();
  a.allocate(30'000).reset();
  EXPECT_GT(a.peak(), before);
  a.forget_peak();
  EXPECT_EQ(a.peak(), before);
  a.allocate(5000).reset();
  EXPECT_EQ(a.peak(), before + 5120) << "a multiple of the alignment";
}

TEST_P(ArenaTest, GuardsFindAWritePastTheEnd) {
  Arena a = make(8192, true);
  auto block = a.allocate(100);
  const std::vector<std::uint8_t> bytes(300, 1);
  backend().write(block->data(), bytes.data(), bytes.size());
  block.reset();
  EXPECT_THROW(a.allocate(1), Error);
}

TEST_P(ArenaTest, GuardsPoisonWhatIsGivenBack) {
  Arena a = make(8192, true);
  const float one = 1;
  std::byte* address = nullptr;
  {
    const auto block = a.allocate(sizeof(one));
    address = block->data();
    backend().write(address, &one, sizeof(one));
  }
  float found = 0;
  backend().read(&found, address, sizeof(found));
  EXPECT_TRUE(std::isnan(found));
}

// A device that a fault in a kernel has made useless: from then on every call of it fails.
class Failing : public Memory {
 public:
  bool failing = false;

 private:
  void ask() const { require(!failing, "fake", "an illegal memory access was encountered"); }
  void* do_allocate(std::size_t bytes) override { return std::aligned_alloc(256, bytes); }
  void do_release(void* pointer) noexcept override { std::free(pointer); }
  void do_write(void* device, const void* host, std::size_t bytes) override {
    ask();
    std::memcpy(device, host, bytes);
  }
  void do_read(void* host, const void* device, std::size_t bytes) override { do_write(host, device, bytes); }
  void do_copy(void* to, const void* from, std::size_t bytes) override { do_write(to, from, bytes); }
  void do_fill(void* device, std::uint8_t value, std::size_t bytes) override {
    ask();
    std::memset(device, value, bytes);
  }
};

TEST(Arena, GuardsOfADeviceThatFailsEndNoProgram) {
  Failing memory;
  Arena a(memory, 8192, Arena::Options{.guard = true});
  auto block = a.allocate(100);
  {
    const Arena::Frame frame(a);
    const auto inner = a.allocate(100);
    memory.failing = true;
  }
  block.reset();
  memory.failing = false;
  try {
    a.allocate(1);
    ADD_FAILURE() << "the failure is forgotten";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("an illegal memory access"), std::string::npos) << error.what();
  }
}

ADWP_ON_EVERY_DEVICE(ArenaTest);

}  // namespace
}  // namespace adwp::test
