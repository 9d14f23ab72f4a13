// Memory of one device, and the arena that cuts tensors from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace adwp {

// What the arena needs of a device: raw memory, copies and a wait.

// How often a device was asked for what evaluation must not ask for; a test reads these.
struct MemoryCounters {
  std::int64_t allocations = 0;  // calls of allocate
  std::int64_t host_reads = 0;   // copies from the device to the host
  std::int64_t host_writes = 0;  // copies from the host to the device
};

// Memory of one device. Copies and fills are ordered with the device's computations (one stream);
// `read` returns when the bytes have arrived, the others may return earlier. Sizes in bytes.
class Memory {
 public:
  virtual ~Memory() = default;

  // At least 256-byte aligned. Throws Error when the device has too little.
  void* allocate(std::size_t bytes);
  void release(void* pointer) noexcept { do_release(pointer); }
  void write(void* device, const void* host, std::size_t bytes);  // host may be reused at once
  void read(void* host, const void* device, std::size_t bytes);
  void copy(void* to, const void* from, std::size_t bytes);  // both on the device, disjoint
  void fill(void* device, std::uint8_t value, std::size_t bytes);

  // What orders the device's work, for libraries that queue some of their own there: a cudaStream_t.
  // nullptr: the device is no GPU.
  virtual void* stream() const { return nullptr; }

  const MemoryCounters& counters() const { return counters_; }

 private:
  virtual void* do_allocate(std::size_t bytes) = 0;
  virtual void do_release(void* pointer) noexcept = 0;
  virtual void do_write(void* device, const void* host, std::size_t bytes) = 0;
  virtual void do_read(void* host, const void* device, std::size_t bytes) = 0;
  virtual void do_copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual void do_fill(void* device, std::uint8_t value, std::size_t bytes) = 0;

  MemoryCounters counters_;
};

// The arena: one allocation on the device from which every tensor is cut.
//
// Long-lived tensors (data set, parameters, gradients, optimizer state, counters) are taken first
// and stay at the foot. A step takes a `Frame`; whatever is allocated inside it is given back whole
// when the frame ends, so the same step finds the same addresses again. Inside a frame, and outside
// one too, a block returns as soon as its last holder lets go (best fit over the free gaps). That
// is safe because one stream orders all work on the device: whoever gets the memory next is
// ordered behind whoever used it last.
//
// A counting arena has no memory. It hands out addresses that nobody may touch and records how much
// would have been needed; backends see `counting()` and compute nothing (a dry pass).

class Arena;

// A piece of arena memory; the last holder of its shared_ptr gives it back.
class Block {
 public:
  Block(std::shared_ptr<struct ArenaState> state, std::size_t offset, std::size_t bytes, std::uint64_t epoch);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::byte* data() const;  // throws when the block's frame has ended
  std::size_t bytes() const { return bytes_; }
  Arena& arena() const;

 private:
  std::shared_ptr<struct ArenaState> state_;
  std::size_t offset_;
  std::size_t bytes_;
  std::uint64_t epoch_;  // which frame it was taken in
};

class Arena {
 public:
  static constexpr std::size_t alignment = 256;

  struct Options {
    // Debug mode: sentinel bytes behind each block, checked when it returns; freed memory is
    // filled with 0xFF bytes, which read as NaN. Costs a device round trip a block.
    bool guard = false;
  };

  // One allocation of `bytes` on the device. Throws Error when the device has too little.
  Arena(Memory& memory, std::size_t bytes, Options options);
  Arena(Memory& memory, std::size_t bytes) : Arena(memory, bytes, Options{}) {}
  static Arena counting(Memory& memory);
  // One that counts, and begins with the same places taken as are in `arena`: its peak() after some work is
  // that of `arena` after the same work.
  static Arena rehearsal(const Arena& arena);
  Arena(Arena&&) noexcept;
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  // Throws Error naming need, size and what to change when no gap is large enough, and, in debug
  // mode, when a returned block's sentinel had been overwritten or the device could not read it.
  std::shared_ptr<Block> allocate(std::size_t bytes);

  Memory& memory() const;
  bool counting() const;
  bool guarded() const;        // debug mode
  std::size_t size() const;    // bytes; 0 for a counting arena
  std::size_t in_use() const;  // bytes held now, padding included
  std::size_t peak() const;    // highest end address so far: the size that would have sufficed
  void forget_peak();          // peak() then counts from now on
  // Equal numbers: the same places are taken, and so the same memory is free (Replay asks).
  std::uint64_t layout() const;

  // Takes the step region; frames nest. A tensor that outlives its frame throws when touched.
  class Frame {
   public:
    explicit Frame(Arena& arena);
    ~Frame();
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    std::shared_ptr<struct ArenaState> state_;
  };

 private:
  explicit Arena(std::shared_ptr<struct ArenaState> state);
  std::shared_ptr<struct ArenaState> state_;
};

}  // namespace adwp
