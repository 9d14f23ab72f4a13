// The emulator: it computes what CUDA computes, and it catches what it promises to catch. Faults are
// planted in small kernels. Those that only a sanitizer can see are in planted_faults.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "cuda/emulation/ptx.h"
#include "cuda/runtime/launch.cuh"
#include "framework/core/error.h"

namespace adwp::test {
namespace {

enum class Fault {
  none,
  missing_barrier,
  missing_trailing_barrier,
  early_wait,
  uninitialised,
  divergent_barrier,
  other_barrier,
  early_exit,
  divergent_shuffle,
  missing_fence,
  early_ticket,
  too_much_shared,
  misaligned_copy
};

// out[block] = sum of the block's 128 numbers, warp by warp.
template <Fault fault>
__global__ void sum(const float* x, float* out) {
  SHARED(float, parts, [4]);
  SHARED(float, never, [4]);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  if (fault == Fault::early_exit && warp == 1) return;
  float value = x[blockIdx.x * 128 + threadIdx.x];
  if (fault == Fault::divergent_shuffle && lane >= 16) return;
  for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(~0u, value, bits);
  if (lane == 0) parts[warp] = value;
  if (fault != Fault::missing_barrier) __syncthreads();
  if (fault == Fault::divergent_barrier && warp == 2) __syncthreads();
  if (fault == Fault::other_barrier) {
    if (warp == 2) {
      __syncthreads();
    } else {
      __syncthreads();
    }
  }
  if (threadIdx.x == 0) {
    float total = fault == Fault::uninitialised ? never[1] : 0.0f;
    for (float part : parts) total += part;
    out[blockIdx.x] = total;
  }
}

// out[t] = sum over steps of the neighbour's number, through one shared buffer that is used again.
template <Fault fault>
__global__ void pass_around(float* out, int steps) {
  SHARED(float, buffer, [64]);
  const auto t = threadIdx.x;
  float total = 0;
  for (int step = 0; step < steps; ++step) {
    buffer[t] = static_cast<float>(step) * 64 + static_cast<float>(t);
    __syncthreads();
    total += buffer[(t + 33) % 64];
    if (fault != Fault::missing_trailing_barrier) __syncthreads();
  }
  out[t] = total;
}

template <Fault fault>
__global__ void copy_async(const float* x, float* y) {
  DYN_SHARED(float, buffer);
  const auto t = threadIdx.x;
  ptx::cp_async<16>(buffer + t * 4 + (fault == Fault::misaligned_copy ? 1 : 0), x + t * 4, true);
  ptx::cp_async_commit();
  if (fault == Fault::early_wait) {
    ptx::cp_async_wait<1>();
  } else {
    ptx::cp_async_wait<0>();
  }
  __syncthreads();
  for (int i = 0; i < 4; ++i) y[t * 4 + i] = buffer[t * 4 + i];
}

// out[0] = sum of all blocks' numbers, by the last block.
template <Fault fault>
__global__ void sum_in_last(float* parts, unsigned* ticket, float* out) {
  SHARED(unsigned, taken, [1]);
  parts[blockIdx.x * 64 + threadIdx.x] = static_cast<float>(blockIdx.x * 64 + threadIdx.x);
  if (fault != Fault::missing_fence) __threadfence();
  if (fault != Fault::early_ticket) __syncthreads();
  if (threadIdx.x == 0) taken[0] = atomicInc(ticket, gridDim.x - 1);
  __syncthreads();
  if (taken[0] != gridDim.x - 1 || threadIdx.x > 0) return;
  __threadfence();
  for (unsigned i = 0; i < gridDim.x * 64; ++i) out[0] += parts[i];
}

__global__ void hoard(float* y) {
  SHARED(float, much, [13000]);
  much[threadIdx.x] = 1;
  y[threadIdx.x] = much[threadIdx.x];
}

class Emulation : public testing::Test {
 protected:
  ~Emulation() override { emulation::options() = before_; }

  static std::vector<float> numbers(int n) {
    std::vector<float> x(static_cast<std::size_t>(n));
    std::iota(x.begin(), x.end(), 1.0f);
    return x;
  }
  template <Fault fault>
  static bool sums_are_right() {
    const std::vector<float> x = numbers(512);
    std::vector<float> out(4);
    launch("sum", sum<fault>, 4, 128, 0, nullptr, x.data(), out.data());
    for (int block = 0; block < 4; ++block) {
      if (out[static_cast<std::size_t>(block)] != 128.0f * static_cast<float>(block) * 128 + 8256)
        return false;
    }
    return true;
  }
  template <Fault fault>
  static bool passing_is_right() {
    std::vector<float> out(64);
    launch("pass_around", pass_around<fault>, 1, 64, 0, nullptr, out.data(), 5);
    for (int t = 0; t < 64; ++t) {
      if (out[static_cast<std::size_t>(t)] != 640 + 5.0f * static_cast<float>((t + 33) % 64)) return false;
    }
    return true;
  }
  template <Fault fault>
  static bool copies_are_right() {
    const std::vector<float> x = numbers(128);
    std::vector<float> y(128);
    launch("copy_async", copy_async<fault>, 1, 32, 132 * sizeof(float), nullptr, x.data(), y.data());
    return x == y;
  }
  // Twice, for the ticket has to be as it was.
  template <Fault fault>
  static bool last_block_is_right() {
    std::vector<float> parts(6 * 64), out(2);
    unsigned ticket = 0;
    for (float& sum : out) {
      launch("sum_in_last", sum_in_last<fault>, 6, 64, 0, nullptr, parts.data(), &ticket, &sum);
    }
    return ticket == 0 && out == std::vector<float>(2, 383.0f * 384 / 2);
  }
  // How many of the first 20 schedules show that something is wrong.
  static int failing_schedules(bool (*right)()) {
    int failing = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      emulation::options().seed = seed;
      failing += right() ? 0 : 1;
    }
    return failing;
  }
  template <typename Run>
  static void expect_fault(Run&& run, const std::string& says) {
    for (std::uint64_t seed : {0, 1, 2}) {
      emulation::options().seed = seed;
      try {
        run();
        ADD_FAILURE() << "not caught: " << says << " under schedule " << seed;
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("emulation_test.cpp:"), std::string::npos) << error.what();
      }
    }
    emulation::options().seed = 0;
    EXPECT_TRUE(sums_are_right<Fault::none>()) << "the emulator must survive a fault";
  }

 private:
  emulation::Options before_ = emulation::options();
};

TEST_F(Emulation, RightKernelsAreRightUnderEverySchedule) {
  for (int workers : {1, 2}) {
    emulation::options().workers = workers;
    emulation::options().seed = 0;
    EXPECT_TRUE(sums_are_right<Fault::none>());
    EXPECT_TRUE(passing_is_right<Fault::none>());
    EXPECT_TRUE(copies_are_right<Fault::none>());
    EXPECT_EQ(failing_schedules(sums_are_right<Fault::none>), 0);
    EXPECT_EQ(failing_schedules(last_block_is_right<Fault::none>), 0);
    EXPECT_EQ(failing_schedules(passing_is_right<Fault::none>), 0);
    EXPECT_EQ(failing_schedules(copies_are_right<Fault::none>), 0);
  }
}

TEST_F(Emulation, AMissingBarrierGivesOtherResults) {
  EXPECT_GE(failing_schedules(sums_are_right<Fault::missing_barrier>), 5);
}

TEST_F(Emulation, AMissingBarrierBehindALoopGivesOtherResults) {
  EXPECT_GE(failing_schedules(passing_is_right<Fault::missing_trailing_barrier>), 5);
}

TEST_F(Emulation, DataOfAnAsynchronousCopyAreNotThereBeforeTheWait) {
  EXPECT_FALSE(copies_are_right<Fault::early_wait>());
}

TEST_F(Emulation, SharedMemoryIsPoisoned) { EXPECT_FALSE(sums_are_right<Fault::uninitialised>()); }

TEST_F(Emulation, FaultsNameKernelLineBlockAndThread) {
  expect_fault(sums_are_right<Fault::divergent_barrier>, "kernel sum");
  expect_fault(sums_are_right<Fault::divergent_barrier>, "thread (");
  expect_fault(sums_are_right<Fault::other_barrier>, "divergent barrier");
  expect_fault(sums_are_right<Fault::early_exit>, "ended");
  expect_fault(sums_are_right<Fault::divergent_shuffle>, "warp operation");
  expect_fault(copies_are_right<Fault::misaligned_copy>, "misaligned cp.async");
  expect_fault(last_block_is_right<Fault::missing_fence>, "a ticket before the fence");
  expect_fault(last_block_is_right<Fault::early_ticket>, "a ticket before the fence");
  expect_fault(
      [] {
        std::vector<float> y(32);
        launch("hoard", hoard, 1, 32, 0, nullptr, y.data());
      },
      "48 KiB");
}

TEST_F(Emulation, LaunchesThatNoDeviceWouldTakeAreRefused) {
  std::vector<float> y(32);
  EXPECT_THROW(launch("hoard", hoard, 1, 2048, 0, nullptr, y.data()), Error);
  EXPECT_THROW(launch("hoard", hoard, {1, 70000}, 32, 0, nullptr, y.data()), Error);
  EXPECT_THROW(launch("hoard", hoard, std::int64_t{1} << 40, 32, 0, nullptr, y.data()), Error);
  EXPECT_THROW(launch("hoard", hoard, -1, 32, 0, nullptr, y.data()), Error);
  EXPECT_THROW(launch("hoard", hoard, 1, 32, 300000, nullptr, y.data()), Error);
  launch("hoard", hoard, 0, 32, 0, nullptr, y.data());  // an empty grid is no error
}

__global__ void shuffles(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(~0u, lane, 5);
  out[32 + lane] = __shfl_xor_sync(~0u, lane, 3, 8);
  out[64 + lane] = __shfl_down_sync(~0u, lane, 4, 16);
  out[96 + lane] = static_cast<int>(__ballot_sync(~0u, lane % 3 == 0));
  const unsigned half = lane < 16 ? 0xFFFFu : 0xFFFF0000u;  // two halves under way together
  out[128 + lane] = __shfl_xor_sync(half, lane, 1, 16);
}

TEST_F(Emulation, WarpOperationsFollowTheProgrammingGuide) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    emulation::options().seed = seed;
    std::vector<int> out(160);
    launch("shuffles", shuffles, 1, 32, 0, nullptr, out.data());
    for (int lane = 0; lane < 32; ++lane) {
      const auto at = [&](int row) { return out[static_cast<std::size_t>(row * 32 + lane)]; };
      EXPECT_EQ(at(0), 5);
      EXPECT_EQ(at(1), lane ^ 3);
      EXPECT_EQ(at(2), lane % 16 < 12 ? lane + 4 : lane);
      EXPECT_EQ(at(3), 0x49249249);
      EXPECT_EQ(at(4), lane ^ 1);
    }
  }
}

__global__ void indices(int* out) {
  const auto block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const auto thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += static_cast<int>(thread + 1);
}

TEST_F(Emulation, EveryThreadOfEveryBlockRunsOnce) {
  for (std::uint64_t seed : {0, 7, 8}) {
    emulation::options().seed = seed;
    std::vector<int> out(3 * 2 * 2 * 4 * 3 * 2);
    launch("indices", indices, {3, 2, 2}, dim3(4, 3, 2), 0, nullptr, out.data());
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], static_cast<int>(i % 24 + 1));
  }
}

}  // namespace
}  // namespace adwp::test
