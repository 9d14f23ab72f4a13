// How many threads the device takes.
#pragma once

#include <chrono>
#include <cstdint>

namespace adwp::cpu {

// The cores that this process may use: those of its affinity mask, no more than its control group's quota (a
// half core is one), or what OMP_NUM_THREADS says.
int cores_given();

// Sets OpenMP to `wanted` threads (0: cores_given()) and returns how many really come: OMP_THREAD_LIMIT and
// the system may give fewer. Waiting for threads that never come would be waiting for ever.
int take_threads(int wanted);

// For how many threads room is made: as many as were taken, though fewer may compute for a while (below). So
// what an operator needs does not depend on what else the machine does.
int threads_with_room();

// Gives all threads but one up while other programs take the cores. Threads meet at every layer: with one of
// them off its core, the others wait for a time slice thousands of times a second, and a search of 29 s took
// 508 s beside two compilers. No result depends on the number of threads.
class ThreadGovernor {
 public:
  explicit ThreadGovernor(int threads) : all_(threads) {}

  int all() const { return all_; }
  // To be called often, by the thread that computes. Looks at the clock every now and then; when that thread
  // was off its core for long, goes on alone, and tries again later.
  void watch();

 private:
  using Clock = std::chrono::steady_clock;

  int all_;
  bool alone_ = false;
  std::uint64_t calls_ = 0;
  Clock::time_point since_ = Clock::now(), again_;
  double computed_ = 0, pause_ = 0;  // seconds
};

}  // namespace adwp::cpu
