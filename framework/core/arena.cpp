#include "framework/core/arena.h"

#include <algorithm>
#include <array>
#include <vector>

#include "framework/core/error.h"

namespace adwp {

void* Memory::allocate(std::size_t bytes) {
  ++counters_.allocations;
  return do_allocate(bytes);
}

void Memory::write(void* device, const void* host, std::size_t bytes) {
  if (bytes == 0) return;
  ++counters_.host_writes;
  do_write(device, host, bytes);
}

void Memory::read(void* host, const void* device, std::size_t bytes) {
  if (bytes == 0) return;
  ++counters_.host_reads;
  do_read(host, device, bytes);
}

void Memory::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes != 0) do_copy(to, from, bytes);
}

void Memory::fill(void* device, std::uint8_t value, std::size_t bytes) {
  if (bytes != 0) do_fill(device, value, bytes);
}

namespace {

constexpr std::size_t sentinel_bytes = Arena::alignment;
constexpr std::uint8_t sentinel_value = 0xA5;
constexpr std::uint8_t poison_value = 0xFF;  // four of them are a NaN
constexpr std::size_t counting_bytes = std::size_t{1} << 56;

std::size_t round_up(std::size_t bytes) {
  return (std::max<std::size_t>(bytes, 1) + Arena::alignment - 1) / Arena::alignment * Arena::alignment;
}

// A place in 64 bits, any two of which differ at random (the end of splitmix64).
std::uint64_t mixed(std::size_t offset, std::size_t bytes) {
  std::uint64_t x = offset / Arena::alignment * 0x9e3779b97f4a7c15 + bytes / Arena::alignment;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

// Shared by the arena, its frames and its blocks, so that the last of them frees the memory.
struct ArenaState {
  struct Live {
    std::size_t bytes;  // padded
    std::size_t used;   // as asked for
    std::uint64_t epoch;
  };

  Memory* memory = nullptr;
  std::byte* base = nullptr;  // nullptr: counting
  bool counting = false;
  bool guard = false;
  std::size_t size = 0;
  std::size_t tail = 0;  // everything from here up is free
  std::size_t in_use = 0;
  std::size_t peak = 0;
  std::uint64_t layout = 0;                                 // sum of mixed(place) over live
  std::map<std::size_t, std::size_t> gaps;                  // below the tail: offset -> bytes
  std::set<std::pair<std::size_t, std::size_t>> gap_sizes;  // (bytes, offset), for best fit
  std::map<std::size_t, Live> live;                         // offset -> block
  std::vector<std::uint64_t> epochs{0};                     // open frames; 0 is "no frame"
  std::uint64_t next_epoch = 1;
  std::string damage;  // first fault found where nothing may be thrown, reported by the next allocation
  Arena* owner = nullptr;

  ~ArenaState() {
    if (base != nullptr) memory->release(base);
  }

  bool open(std::uint64_t epoch) const {
    return std::find(epochs.rbegin(), epochs.rend(), epoch) != epochs.rend();
  }

  void erase_gap(std::map<std::size_t, std::size_t>::iterator gap) {
    gap_sizes.erase({gap->second, gap->first});
    gaps.erase(gap);
  }

  // Called by destructors: a device that fails meanwhile, as after a fault in a kernel, is kept as damage.
  void check_sentinel(std::size_t offset, const Live& block) noexcept {
    if (!guard || counting) return;
    try {
      std::array<std::uint8_t, sentinel_bytes> found{};
      memory->read(found.data(), base + offset + block.bytes - sentinel_bytes, sentinel_bytes);
      auto intact = [](std::uint8_t byte) { return byte == sentinel_value; };
      if (!std::all_of(found.begin(), found.end(), intact)) {
        note(fmt::format("a tensor of {} bytes at offset {} was written past its end", block.used, offset));
      }
      memory->fill(base + offset, poison_value, block.bytes);
    } catch (const Error& error) {
      note(fmt::format("a tensor of {} bytes at offset {} cannot be checked: {}", block.used, offset,
                       error.what()));
    }
  }
  void note(std::string fault) {
    if (damage.empty()) damage = std::move(fault);
  }

  // Gives the block back and merges the gap with its neighbours and the tail.
  void release(std::map<std::size_t, Live>::iterator block) {
    check_sentinel(block->first, block->second);
    std::size_t begin = block->first;
    std::size_t end = begin + block->second.bytes;
    in_use -= block->second.bytes;
    layout -= mixed(begin, block->second.bytes);
    live.erase(block);

    auto after = gaps.lower_bound(begin);
    if (after != gaps.begin()) {
      auto before = std::prev(after);
      if (before->first + before->second == begin) {
        begin = before->first;
        erase_gap(before);
      }
    }
    if (after != gaps.end() && after->first == end) {
      end += after->second;
      erase_gap(after);
    }
    if (end == tail) {
      tail = begin;
      return;
    }
    gaps[begin] = end - begin;
    gap_sizes.insert({end - begin, begin});
  }
};

Block::Block(std::shared_ptr<ArenaState> state, std::size_t offset, std::size_t bytes, std::uint64_t epoch)
    : state_(std::move(state)), offset_(offset), bytes_(bytes), epoch_(epoch) {}

Block::~Block() {
  if (!state_->open(epoch_)) return;  // the frame has taken everything back already
  state_->release(state_->live.find(offset_));
}

std::byte* Block::data() const {
  require(state_->open(epoch_), "arena", "a tensor of {} bytes was used after its frame had ended", bytes_);
  return state_->base + offset_;
}

Arena& Block::arena() const { return *state_->owner; }

Arena::Arena(std::shared_ptr<ArenaState> state) : state_(std::move(state)) { state_->owner = this; }

Arena::Arena(Memory& memory, std::size_t bytes, Options options) : Arena(std::make_shared<ArenaState>()) {
  state_->memory = &memory;
  state_->guard = options.guard;
  state_->size = bytes / alignment * alignment;
  state_->base = static_cast<std::byte*>(memory.allocate(std::max(state_->size, alignment)));
}

Arena Arena::counting(Memory& memory) {
  Arena arena(std::make_shared<ArenaState>());
  arena.state_->memory = &memory;
  arena.state_->counting = true;
  arena.state_->size = counting_bytes;
  return arena;
}

Arena Arena::rehearsal(const Arena& arena) {
  Arena copy(std::make_shared<ArenaState>(*arena.state_));
  copy.state_->base = nullptr;
  copy.state_->counting = true;
  copy.state_->size = counting_bytes;
  copy.forget_peak();
  return copy;
}

Arena::Arena(Arena&& other) noexcept : state_(std::move(other.state_)) { state_->owner = this; }

Arena::~Arena() = default;

std::shared_ptr<Block> Arena::allocate(std::size_t bytes) {
  ArenaState& s = *state_;
  if (!s.damage.empty()) fail("arena", "{}", s.damage);
  const std::size_t padded = round_up(bytes) + (s.guard ? sentinel_bytes : 0);

  std::size_t offset = s.tail;
  auto fit = s.gap_sizes.lower_bound({padded, 0});
  if (fit != s.gap_sizes.end()) {
    offset = fit->second;
    const std::size_t rest = fit->first - padded;
    s.erase_gap(s.gaps.find(offset));
    if (rest > 0) {
      s.gaps[offset + padded] = rest;
      s.gap_sizes.insert({rest, offset + padded});
    }
  } else {
    if (padded > s.size - s.tail) {
      throw Error(Fault::failed, "arena",
                  fmt::format("out of memory, got {} bytes in use of {}, expected room for {} more; "
                              "raise --arena-mb to at least {} or lower --batch",
                              s.in_use, s.size, padded, (s.tail + padded + (1 << 20) - 1) >> 20));
    }
    s.tail += padded;
    s.peak = std::max(s.peak, s.tail);
  }
  s.in_use += padded;
  s.layout += mixed(offset, padded);
  s.live[offset] = {padded, bytes, s.epochs.back()};
  if (s.guard && !s.counting) {
    s.memory->fill(s.base + offset + padded - sentinel_bytes, sentinel_value, sentinel_bytes);
  }
  return std::make_shared<Block>(state_, offset, bytes, s.epochs.back());
}

Memory& Arena::memory() const { return *state_->memory; }
bool Arena::counting() const { return state_->counting; }
bool Arena::guarded() const { return state_->guard; }
std::uint64_t Arena::layout() const { return state_->layout; }
std::size_t Arena::size() const { return state_->counting ? 0 : state_->size; }
std::size_t Arena::in_use() const { return state_->in_use; }
std::size_t Arena::peak() const { return state_->peak; }
void Arena::forget_peak() { state_->peak = state_->tail; }

Arena::Frame::Frame(Arena& arena) : state_(arena.state_) { state_->epochs.push_back(state_->next_epoch++); }

Arena::Frame::~Frame() {
  const std::uint64_t epoch = state_->epochs.back();
  for (auto block = state_->live.begin(); block != state_->live.end();) {
    auto next = std::next(block);
    if (block->second.epoch == epoch) state_->release(block);
    block = next;
  }
  state_->epochs.pop_back();
}

}  // namespace adwp
