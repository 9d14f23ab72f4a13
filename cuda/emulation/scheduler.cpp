// Grids: which worker runs which block.
#include "cuda/emulation/scheduler.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "cuda/emulation/block_runner.h"
#include "framework/core/error.h"

namespace adwp::emulation {
namespace {

struct SharedJob : GridJob {
  std::uint64_t blocks = 0, stride = 1;  // the order of blocks: multiples of a stride coprime to them
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;
};

// Kept for good, so that stacks are reused and a leak checker sees them.
BlockRunner& runner_of_this_thread() {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<BlockRunner>> all;
  thread_local BlockRunner* own = nullptr;
  if (own == nullptr) {
    const std::lock_guard lock(mutex);
    all.push_back(std::make_unique<BlockRunner>());
    own = all.back().get();
  }
  return *own;
}

void work(SharedJob& job) {
  BlockRunner& runner = runner_of_this_thread();
  try {
    for (std::uint64_t i = job.next++; i < job.blocks; i = job.next++) {
      runner.run(job, i * job.stride % job.blocks);
    }
  } catch (...) {
    job.next = job.blocks;
    const std::lock_guard lock(job.mutex);
    if (!job.error) job.error = std::current_exception();
  }
}

// Worker threads that wait for grids.
class Pool {
 public:
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(SharedJob& job, int workers) {
    while (static_cast<int>(threads_.size()) < workers) threads_.emplace_back([this] { serve(); });
    std::unique_lock lock(mutex_);
    job_ = &job;
    busy_ = static_cast<int>(threads_.size());
    ++generation_;
    wake_.notify_all();
    done_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  void serve() {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
      SharedJob& job = *job_;
      lock.unlock();
      work(job);
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  SharedJob* job_ = nullptr;
  std::uint64_t generation_ = 0;
  int busy_ = 0;
  bool stop_ = false;
};

}  // namespace

Options& options() {
  static Options current;
  return current;
}

void run_grid(const char* kernel, dim3 grid, dim3 block, std::size_t shared_bytes, void (*body)(const void*),
              const void* arguments) {
  require(
      grid.x >= 1 && grid.x < (1u << 31) && grid.y >= 1 && grid.y < 65536 && grid.z >= 1 && grid.z < 65536,
      "emulation", "kernel {}: no such grid, got {} x {} x {}", kernel, grid.x, grid.y, grid.z);
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  require(threads >= 1 && threads <= most_threads && block.z <= 64, "emulation",
          "kernel {}: no such block, got {} x {} x {} threads", kernel, block.x, block.y, block.z);
  require(shared_bytes <= most_shared, "emulation",
          "kernel {}: too much shared memory, got {} bytes, expected at most {}", kernel, shared_bytes,
          most_shared);
  SharedJob job;
  static_cast<GridJob&>(job) = {kernel, grid, block, shared_bytes, body, arguments, options()};
  job.blocks = std::uint64_t{grid.x} * grid.y * grid.z;
  job.stride = job.options.seed == 0 ? 1 : 2654435761u % job.blocks;
  while (std::gcd(job.stride, job.blocks) != 1) ++job.stride;
  if (job.options.workers <= 1) {
    work(job);
  } else {
    static Pool pool;
    pool.run(job, job.options.workers);
  }
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace adwp::emulation
