#include "cuda/emulation/block_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <set>

#include "framework/core/error.h"

namespace adwp::emulation {
namespace {

namespace context = boost::context::detail;

constexpr std::size_t shared_room = std::size_t{512} << 10;
constexpr std::size_t red_zone = 128;  // bytes between shared arrays
constexpr std::size_t most_static = std::size_t{48} << 10;

thread_local BlockRunner* current = nullptr;

bool same(const Location& a, const Location& b) {
  return a.line() == b.line() && a.column() == b.column() && a.file_name() == b.file_name();
}

std::string text(const Location& where) {
  const std::string file = where.file_name();
  const auto slash = file.rfind('/');
  return fmt::format("{}:{}", slash == std::string::npos ? file : file.substr(slash + 1), where.line());
}

}  // namespace

// --- life of a block -------------------------------------------------------------------------------

BlockRunner::BlockRunner() : shared_high_(shared_room) {
  shared_ = static_cast<char*>(std::aligned_alloc(4096, shared_room));
}

BlockRunner::~BlockRunner() {
  asan::unpoison(shared_, shared_room);
  std::free(shared_);
  for (Thread& thread : threads_) std::free(thread.copies.list);
}

void BlockRunner::run(const GridJob& job, std::uint64_t index) {
  current = this;
  job_ = &job;
  const dim3 grid = job.grid, block = job.block;
  blockIdx = {static_cast<unsigned>(index % grid.x), static_cast<unsigned>(index / grid.x % grid.y),
              static_cast<unsigned>(index / grid.x / grid.y)};
  blockDim = block;
  gridDim = grid;
  count_ = static_cast<int>(block.x * block.y * block.z);
  ended_ = at_barrier_ = ready_ = queue_head_ = 0;
  abandoned_ = false;
  ++block_number_;
  const std::uint64_t seed = job.options.seed;
  policy_ = seed == 0 ? Policy::first_come : (seed % 2 == 1 ? Policy::random_warp : Policy::one_warp_ahead);
  generator_.state = seed * 1000003u + index;
  ready_warps_ = 0;
  std::fill(std::begin(ready_lanes_), std::end(ready_lanes_), 0u);
  for (std::uint32_t& priority : priority_) priority = generator_.below(1u << 30);
  prepare_shared_memory();

  for (int t = 0; t < count_; ++t) {
    Thread& thread = threads_[t];
    const auto flat = static_cast<unsigned>(t);
    thread.index = {flat % block.x, flat / block.x % block.y, flat / block.x / block.y};
    thread.state = State::unstarted;
    thread.fenced = false;
    thread.copies.first = thread.copies.end = 0;
    thread.copies.group = 0;
    if (ADWP_EMULATION_TSAN && thread.fiber.tsan == nullptr) thread.fiber.tsan = tsan::create();
    make_ready(t);
  }
  for (int w = 0; w * warp_lanes < count_; ++w) {
    const int lanes = count_ - w * warp_lanes;
    warps_[w].existing = lanes >= warp_lanes ? ~0u : (1u << lanes) - 1;
    warps_[w].ended = 0;
    for (Pending& pending : warps_[w].pending) pending.arrived = 0;
  }
  outside_tsan_ = tsan::current();
  tsan::release(&sync_start_);
  switch_to(outside, next_ready());
  tsan::acquire(&sync_end_);
  if (abandoned_) {
    std::string error;
    error.swap(error_);
    fail("emulation", "{}", error);
  }
}

// Poisoned here, outside the fibers: ThreadSanitizer intercepts memset even in a file built without it.
void BlockRunner::prepare_shared_memory() {
  asan::unpoison(shared_, shared_room);
  const std::size_t dynamic = (job_->shared_bytes + 127) / 128 * 128;
  std::memset(shared_, 0xFF, std::max(shared_high_, dynamic));
  shared_high_ = dynamic;
  shared_used_ = dynamic + red_zone;
  static_bytes_ = 0;
  asan::poison(shared_ + job_->shared_bytes, shared_room - job_->shared_bytes);
}

// --- switching -------------------------------------------------------------------------------------

void BlockRunner::after_switch(context::transfer_t from, void* fake_stack) {
  const void* bottom = nullptr;
  std::size_t size = 0;
  asan::arrive(fake_stack, &bottom, &size);
  if (left_ == outside) {
    outside_context_ = from.fctx;
    if (outside_bottom_ == nullptr) {
      outside_bottom_ = bottom;
      outside_size_ = size;
    }
  } else if (left_ >= 0) {
    threads_[left_].fiber.context = from.fctx;
  }
  if (unused_stack_ != nullptr) {
    stacks_.give(unused_stack_);
    unused_stack_ = nullptr;
  }
}

// From the fiber `leaving` (or outside, or dying) to thread `next` (or outside).
void BlockRunner::switch_to(int leaving, int next) {
  left_ = leaving;
  context::fcontext_t target = outside_context_;
  running_ = next;
  if (next >= 0) {
    Thread& thread = threads_[next];
    threadIdx = thread.index;
    if (thread.state == State::unstarted) {
      if (thread.fiber.stack == nullptr) thread.fiber.stack = stacks_.take();
      thread.fiber.context =
          context::make_fcontext(thread.fiber.stack + stack_bytes, stack_bytes, &BlockRunner::enter);
    }
    thread.state = State::ready;
    target = thread.fiber.context;
  }
  void** save = leaving == dying     ? nullptr
                : leaving == outside ? &outside_fake_stack_
                                     : &threads_[leaving].fiber.fake_stack;
  asan::leave(save, next >= 0 ? threads_[next].fiber.stack : outside_bottom_,
              next >= 0 ? stack_bytes : outside_size_);
  tsan::switch_to(next >= 0 ? threads_[next].fiber.tsan : outside_tsan_);
  const context::transfer_t from = context::jump_fcontext(target, nullptr);
  after_switch(from, leaving == dying ? nullptr : *save);
}

void BlockRunner::enter(context::transfer_t from) {
  current->after_switch(from, nullptr);
  current->live();
}

// Runs threads one after the other on one stack, as long as none has to wait.
void BlockRunner::live() {
  for (;;) {
    const int me = running_;
    tsan::acquire(&sync_start_);
    try {
      job_->body(job_->arguments);
    } catch (const Abandoned&) {
      // Its locals are destroyed; nothing else is to be done.
    }
    tsan::release(&sync_end_);
    threads_[me].state = State::ended;
    ++ended_;
    warps_[me / warp_lanes].ended |= 1u << (me % warp_lanes);
    int next = abandoned_ ? next_suspended() : next_ready();
    if (next < 0 && ended_ < count_ && !abandoned_) {
      report_stuck_block();
      next = next_suspended();
    }
    if (!ADWP_EMULATION_TSAN) {  // to TSan a stack is a thread: there everyone keeps an own one
      char* stack = threads_[me].fiber.stack;
      threads_[me].fiber.stack = nullptr;
      if (next >= 0 && threads_[next].state == State::unstarted) {
        threads_[next].fiber.stack = stack;
        threads_[next].state = State::ready;
        running_ = next;
        threadIdx = threads_[next].index;
        continue;
      }
      unused_stack_ = stack;
    }
    switch_to(dying, next);
    std::abort();  // nobody switches back to a thread that has ended
  }
}

void BlockRunner::wait_for_others() {
  const int me = running_, next = next_ready();
  if (next < 0) {
    report_stuck_block();
    throw Abandoned{};
  }
  if (next == me) {
    threads_[me].state = State::ready;
    return;
  }
  switch_to(me, next);
  if (abandoned_) throw Abandoned{};
}

// A thread of an abandoned block that still has a stack to be unwound; those that never began have not.
int BlockRunner::next_suspended() const {
  for (int t = 0; t < count_; ++t) {
    if (threads_[t].state != State::ended && threads_[t].state != State::unstarted) return t;
  }
  return outside;
}

// --- who is next -----------------------------------------------------------------------------------

std::uint32_t BlockRunner::Generator::below(std::uint32_t n) {
  state += 0x9E3779B97F4A7C15u;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return static_cast<std::uint32_t>((z >> 32) * n >> 32);
}

int BlockRunner::random_bit(std::uint32_t mask) {
  const auto turn = static_cast<int>(generator_.below(warp_lanes));
  return (std::countr_zero(std::rotr(mask, turn)) + turn) % warp_lanes;
}

void BlockRunner::make_ready(int thread) {
  if (policy_ == Policy::first_come) {
    queue_[(queue_head_ + ready_) % most_threads] = thread;
  } else {
    ready_lanes_[thread / warp_lanes] |= 1u << (thread % warp_lanes);
    ready_warps_ |= 1u << (thread / warp_lanes);
  }
  ++ready_;
}

int BlockRunner::next_ready() {
  if (ready_ == 0) return outside;
  --ready_;
  if (policy_ == Policy::first_come) {
    const int thread = queue_[queue_head_];
    queue_head_ = (queue_head_ + 1) % most_threads;
    return thread;
  }
  int warp = 0;
  if (policy_ == Policy::random_warp) {
    warp = random_bit(ready_warps_);
  } else {  // one warp ahead; now and then another one becomes the favourite
    if (++ticks_ % 256 == 0) priority_[generator_.below(most_warps)] = generator_.below(1u << 30);
    warp = std::countr_zero(ready_warps_);
    for (std::uint32_t left = ready_warps_; left != 0; left &= left - 1) {
      const int other = std::countr_zero(left);
      if (priority_[other] > priority_[warp]) warp = other;
    }
  }
  const int lane = random_bit(ready_lanes_[warp]);
  ready_lanes_[warp] &= ~(1u << lane);
  if (ready_lanes_[warp] == 0) ready_warps_ &= ~(1u << warp);
  return warp * warp_lanes + lane;
}

// --- barriers and warp operations ------------------------------------------------------------------

void BlockRunner::barrier(Location where) {
  Thread& me = threads_[running_];
  if (at_barrier_ > 0 && !same(barrier_where_, where)) {
    fault(fmt::format("divergent barrier, other threads wait in __syncthreads at {}", text(barrier_where_)),
          where);
  }
  if (ended_ > 0) fault("__syncthreads after a thread of the block has ended", where);
  barrier_where_ = me.where = where;
  // Two objects in turn: a thread that wakes late must not see what the next barrier orders.
  char* sync = &sync_barrier_[barriers_passed_ % 2];
  tsan::release(sync);
  if (++at_barrier_ < count_) {
    me.state = State::at_barrier;
    wait_for_others();
  } else {
    at_barrier_ = 0;
    ++barriers_passed_;
    const int self = running_;
    for (int t = 0; t < count_; ++t) {
      if (threads_[t].state != State::at_barrier) continue;
      threads_[t].state = State::ready;
      make_ready(t);
    }
    if (policy_ != Policy::first_come) {  // the last to arrive need not be the first to leave
      make_ready(self);
      wait_for_others();
    }
  }
  tsan::acquire(sync);
}

void BlockRunner::fence() {
  static char sync = 0;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  tsan::acquire(&sync);
  tsan::release(&sync);
  threads_[running_].fenced = true;
}

void BlockRunner::take_ticket(Location where) {
  for (int t = 0; t < count_; ++t) {
    if (!threads_[t].fenced) fault(fmt::format("a ticket before the fence of thread {}", t), where);
  }
  for (int t = 0; t < count_; ++t) threads_[t].fenced = false;
}

void BlockRunner::warp_operation(WarpFunction function, void* arguments, std::uint32_t mask, Location where) {
  const int me = running_, my_lane = lane(), base = me - my_lane;
  Warp& warp = warps_[me / warp_lanes];
  if ((mask >> my_lane & 1) == 0) fault("warp operation whose mask lacks the own lane", where);
  Pending& own = warp.pending[std::countr_zero(mask)];
  for (Pending& other : warp.pending) {
    if (other.arrived == 0 || (other.mask & mask) == 0) continue;
    if (&other != &own || other.mask != mask || other.function != function || !same(other.where, where)) {
      fault(fmt::format("divergent warp, other lanes wait at {}", text(other.where)), where);
    }
  }
  if (own.arrived == 0) {
    own.mask = mask;
    own.function = function;
    own.where = where;
  }
  if ((mask & warp.ended) != 0) fault("warp operation that names a lane which has ended", where);
  char* sync = &own.sync[own.generation % 2];
  tsan::release(sync);
  warp.arguments[my_lane] = arguments;
  own.arrived |= 1u << my_lane;
  threads_[me].where = where;
  const std::uint32_t needed = mask & warp.existing;
  if ((own.arrived & needed) != needed) {
    threads_[me].state = State::in_warp_operation;
    wait_for_others();
    tsan::acquire(sync);
    return;
  }
  tsan::acquire(sync);
  own.arrived = 0;
  ++own.generation;
  function(warp.arguments, needed);
  tsan::release(sync);
  for (std::uint32_t left = needed & ~(1u << my_lane); left != 0; left &= left - 1) {
    const int other = base + std::countr_zero(left);
    threads_[other].state = State::ready;
    make_ready(other);
  }
  if (policy_ != Policy::first_come) {
    make_ready(me);
    wait_for_others();
  }
  tsan::acquire(sync);
}

// --- shared memory ---------------------------------------------------------------------------------

void* BlockRunner::static_shared(SharedSlot& slot, std::size_t bytes, std::size_t alignment, Location where) {
  if (slot.block == block_number_) return slot.address;
  const std::size_t at = (shared_used_ + alignment - 1) / alignment * alignment;
  static_bytes_ += (bytes + 15) / 16 * 16;
  if (static_bytes_ > most_static) fault("more than 48 KiB of static shared memory", where);
  if (static_bytes_ + job_->shared_bytes > most_shared || at + bytes > shared_room) {
    fault("more shared memory than a block may have", where);
  }
  slot = {block_number_, shared_ + at};
  asan::unpoison(slot.address, bytes);
  shared_used_ = at + bytes + red_zone;
  shared_high_ = std::max(shared_high_, shared_used_);
  return slot.address;
}

// --- faults ----------------------------------------------------------------------------------------

std::string BlockRunner::place(int thread) const {
  const uint3 t = threads_[thread].index;
  return fmt::format("block ({},{},{}) thread ({},{},{})", blockIdx.x, blockIdx.y, blockIdx.z, t.x, t.y, t.z);
}

// A faulty block is abandoned: every thread that has begun leaves its kernel by this exception, so that
// what it holds is destroyed.
void BlockRunner::fault(const std::string& what, Location where) {
  error_ = fmt::format("kernel {}, {}, {}: {}", job_->kernel, text(where), place(running_), what);
  abandoned_ = true;
  throw Abandoned{};
}

// No thread can go on, and not all have ended.
void BlockRunner::report_stuck_block() {
  abandoned_ = true;
  int barriers = 0, warps = 0;
  std::string waiting;
  std::set<std::string> told;
  for (int t = 0; t < count_; ++t) {
    const Thread& thread = threads_[t];
    const bool at_barrier = thread.state == State::at_barrier;
    if (!at_barrier && thread.state != State::in_warp_operation) continue;
    ++(at_barrier ? barriers : warps);
    if (told.size() < 4 && told.insert(text(thread.where)).second) {
      waiting += fmt::format("; {} waits in {} at {}", place(t),
                             at_barrier ? "__syncthreads" : "a warp operation", text(thread.where));
    }
  }
  error_ = fmt::format(
      "kernel {}: threads that wait for others that never come, {} at a barrier, {} in "
      "warp operations, {} ended{}",
      job_->kernel, barriers, warps, ended_, waiting);
}

// --- for kernels -----------------------------------------------------------------------------------

void barrier(Location where) { current->barrier(where); }
void warp_operation(WarpFunction function, void* arguments, std::uint32_t mask, Location where) {
  current->warp_operation(function, arguments, mask, where);
}
void fence() { current->fence(); }
void take_ticket(Location where) { current->take_ticket(where); }
int lane() { return current->lane(); }
void* static_shared(SharedSlot& slot, std::size_t bytes, std::size_t alignment, Location where) {
  return current->static_shared(slot, bytes, alignment, where);
}
void* dynamic_shared() { return current->dynamic_shared(); }
AsyncCopies& async_copies() { return current->async_copies(); }
AsyncCopy& push_async_copy(AsyncCopies& copies) {
  if (copies.end == copies.room) {
    copies.room = std::max(16, copies.room * 2);
    copies.list = static_cast<AsyncCopy*>(
        std::realloc(copies.list, sizeof(AsyncCopy) * static_cast<std::size_t>(copies.room)));
    if (copies.list == nullptr) std::abort();
  }
  AsyncCopy& copy = copies.list[copies.end++];
  copy.group = copies.group;
  return copy;
}
void fault(const char* what, Location where) { current->fault(what, where); }

}  // namespace adwp::emulation
