// Runs the threads of one block at a time. One for each operating-system thread of a grid.
#pragma once

#include <cstdint>
#include <string>

#include "cuda/emulation/fiber.h"
#include "cuda/emulation/scheduler.h"

namespace adwp::emulation {

inline constexpr int most_threads = 1024, warp_lanes = 32, most_warps = most_threads / warp_lanes;

struct GridJob {
  const char* kernel;
  dim3 grid, block;
  std::size_t shared_bytes;
  void (*body)(const void*);
  const void* arguments;
  Options options;
};

class BlockRunner {
 public:
  BlockRunner();
  ~BlockRunner();
  BlockRunner(const BlockRunner&) = delete;
  BlockRunner& operator=(const BlockRunner&) = delete;

  // Runs block `index` of the grid to its end; throws Error at a fault.
  void run(const GridJob& job, std::uint64_t index);

  // For the running thread; see scheduler.h.
  void barrier(Location where);
  void warp_operation(WarpFunction function, void* arguments, std::uint32_t mask, Location where);
  void fence();
  void take_ticket(Location where);
  void* static_shared(SharedSlot& slot, std::size_t bytes, std::size_t alignment, Location where);
  void* dynamic_shared() const { return shared_; }
  AsyncCopies& async_copies() { return threads_[running_].copies; }
  int lane() const { return running_ % warp_lanes; }
  [[noreturn]] void fault(const std::string& what, Location where);

 private:
  enum class State : std::uint8_t { unstarted, ready, at_barrier, in_warp_operation, ended };
  enum class Policy { first_come, random_warp, one_warp_ahead };

  struct Thread {
    Fiber fiber;
    uint3 index{};
    State state = State::ended;
    bool fenced = false;  // since the block's last ticket
    Location where;       // of what it waits for
    AsyncCopies copies;
  };
  // A warp operation that some lanes have reached and others have not. Disjoint masks may be under
  // way together; each is kept at its mask's first lane.
  struct Pending {
    std::uint32_t arrived = 0, mask = 0, generation = 0;
    WarpFunction function = nullptr;
    Location where;
    char sync[2];  // to ThreadSanitizer: what this generation of the operation orders
  };
  struct Warp {
    std::uint32_t existing = 0, ended = 0;
    Pending pending[warp_lanes];
    void* arguments[warp_lanes];
  };
  struct Generator {  // SplitMix64
    std::uint64_t state = 1;
    std::uint32_t below(std::uint32_t n);
  };

  struct Abandoned {};  // thrown through the kernel's frames after a fault

  static constexpr int outside = -1;  // not in a fiber
  static constexpr int dying = -2;    // leaving a fiber for good

  static void enter(boost::context::detail::transfer_t from);
  void after_switch(boost::context::detail::transfer_t from, void* fake_stack);
  void switch_to(int leaving, int next);
  [[noreturn]] void live();
  void wait_for_others();
  int next_suspended() const;
  void make_ready(int thread);
  int next_ready();
  int random_bit(std::uint32_t mask);
  void prepare_shared_memory();
  void report_stuck_block();
  std::string place(int thread) const;

  const GridJob* job_ = nullptr;
  Thread threads_[most_threads];
  Warp warps_[most_warps];
  int count_ = 0, ended_ = 0, running_ = outside, left_ = outside;

  Policy policy_ = Policy::first_come;
  Generator generator_;
  int queue_[most_threads] = {}, queue_head_ = 0;                 // first_come
  std::uint32_t ready_lanes_[most_warps] = {}, ready_warps_ = 0;  // the others
  std::uint32_t priority_[most_warps] = {}, ticks_ = 0;
  int ready_ = 0;

  int at_barrier_ = 0;
  std::uint32_t barriers_passed_ = 0;
  Location barrier_where_;
  char sync_start_ = 0, sync_end_ = 0, sync_barrier_[2] = {};

  char* shared_ = nullptr;  // dynamic shared memory first, then the static arrays
  std::size_t shared_used_ = 0, static_bytes_ = 0, shared_high_;
  std::uint64_t block_number_ = 0;

  StackPool stacks_;
  char* unused_stack_ = nullptr;  // of the fiber just left for good
  boost::context::detail::fcontext_t outside_context_ = nullptr;
  void* outside_fake_stack_ = nullptr;
  void* outside_tsan_ = nullptr;
  const void* outside_bottom_ = nullptr;
  std::size_t outside_size_ = 0;
  bool abandoned_ = false;
  std::string error_;  // why
};

}  // namespace adwp::emulation
