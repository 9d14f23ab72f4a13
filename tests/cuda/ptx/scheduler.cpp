// Which warp of a block goes on, and how far; which lanes of a warp run together.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "tests/cuda/ptx/warp.h"

namespace adwp::executor {
namespace {

// Lanes that stand at the lowest program counter run until one of them meets what it must wait for, or others.
class Advance {
 public:
  explicit Advance(Warp& warp, std::uint64_t quantum) : warp_(warp), quantum_(quantum) {}

  // Until the warp waits for the block, has ended or has used up its quantum.
  void run() {
    for (;;) {
      if (warp_.alive == 0) return;
      const std::uint32_t ready = warp_.alive & ~warp_.at_barrier & ~warp_.at_warp_operation;
      if (ready == 0) {
        if (warp_.at_warp_operation != 0) never_reached();
        return;
      }
      gather(ready);
      while (step()) {
        if (at_ < next_) continue;
        leave(lanes_, at_);
        break;
      }
      if (spent_) return;
    }
  }

 private:
  [[noreturn]] void never_reached() {
    const int lane = std::countr_zero(warp_.at_warp_operation);
    warp_.now = &warp_.kernel->code[warp_.counter[lane]];
    stop(warp_, lane, KernelFault::Kind::other, "an operation of the warp that other lanes never reach");
  }
  void gather(std::uint32_t ready) {
    at_ = next_ = ~0u;
    lanes_ = 0;
    each(ready, [&](int lane) { at_ = std::min(at_, warp_.counter[lane]); });
    each(ready, [&](int lane) {
      if (warp_.counter[lane] == at_) {
        lanes_ |= 1u << lane;
      } else {
        next_ = std::min(next_, warp_.counter[lane]);
      }
    });
  }
  void leave(std::uint32_t lanes, std::uint32_t at) {
    each(lanes, [&](int lane) { warp_.counter[lane] = at; });
  }
  std::uint32_t taking_part(const Instruction& in) {
    if (in.predicate < 0) return lanes_;
    const auto* predicate = values<std::uint32_t>(warp_, static_cast<std::uint32_t>(in.predicate));
    std::uint32_t set = 0;
    for (int lane = 0; lane < warp_size; ++lane) set |= (predicate[lane] & 1u) << lane;
    return lanes_ & (in.negated ? ~set : set);
  }

  // One instruction. false: the lanes no longer run together, and stand where they left.
  bool step() {
    if (quantum_-- == 0) {
      spent_ = true;
      leave(lanes_, at_);
      return false;
    }
    const Instruction& in = warp_.kernel->code[at_];
    warp_.now = &in;
    const std::uint32_t taking = taking_part(in);
    in.counters.executed += taking != 0;
    switch (in.kind) {
      case Instruction::Kind::plain:
        if (taking != 0) in.execute(warp_, in, taking);
        ++at_;
        return true;
      case Instruction::Kind::branch: return branch(in.target, taking);
      case Instruction::Kind::end:
        warp_.alive &= ~taking;
        leave(lanes_ & ~taking, at_ + 1);
        return false;
      case Instruction::Kind::barrier:
        warp_.at_barrier |= taking;
        leave(lanes_, at_ + 1);
        return false;
      case Instruction::Kind::warp: warp_operation(in, taking); return false;
    }
    return false;
  }
  bool branch(std::uint32_t target, std::uint32_t taking) {
    if (taking == lanes_ || taking == 0) {
      at_ = taking == 0 ? at_ + 1 : target;
      return true;
    }
    leave(taking, target);
    leave(lanes_ & ~taking, at_ + 1);
    return false;
  }
  // The last of the lanes that it names executes it for all.
  void warp_operation(const Instruction& in, std::uint32_t taking) {
    leave(lanes_ & ~taking, at_ + 1);
    if (taking == 0) return;
    const std::uint32_t named =
        operand<std::uint32_t>(warp_, in, Instruction::members)[std::countr_zero(taking)];
    std::uint32_t arrived = taking;
    each(warp_.at_warp_operation, [&](int lane) { arrived |= std::uint32_t{warp_.counter[lane] == at_} << lane; });
    if ((taking & ~named) != 0) {
      stop(warp_, std::countr_zero(taking & ~named), KernelFault::Kind::other, "a lane that is not named takes part");
    }
    if ((named & warp_.alive & ~arrived) != 0) {
      warp_.at_warp_operation |= taking;
      leave(taking, at_);
      return;
    }
    warp_.at_warp_operation &= ~arrived;
    in.execute(warp_, in, arrived);
    leave(arrived, at_ + 1);
  }

  Warp& warp_;
  std::uint64_t quantum_;
  std::uint32_t at_ = 0, next_ = 0, lanes_ = 0;
  bool spent_ = false;
};

// xorshift64: orders of warps, nothing else.
class Order {
 public:
  explicit Order(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1), permuted_(seed != 0) {}
  std::uint32_t below(std::uint32_t count) { return permuted_ ? static_cast<std::uint32_t>(next() % count) : 0; }
  bool coin() { return permuted_ && next() % 2 == 0; }
  std::uint64_t quantum() { return permuted_ ? 1 + next() % 400 : ~std::uint64_t{0}; }

 private:
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ >> 11;
  }
  std::uint64_t state_;
  bool permuted_;
};

class GridRun {
 public:
  GridRun(const Launch& launch, const Regions& memory, const Options& options)
      : launch_(launch),
        kernel_(*launch.kernel),
        threads_(launch.block.x * launch.block.y * launch.block.z),
        order_(options.seed) {
    block_.launch = &launch;
    block_.memory = &memory;
    block_.options = &options;
    warps_.resize((threads_ + warp_size - 1) / warp_size);
    files_.resize(warps_.size() * kernel_.file_bytes + 64);
  }

  void run() {
    Extents& i = block_.index;
    for (i.z = 0; i.z < launch_.grid.z; ++i.z) {
      for (i.y = 0; i.y < launch_.grid.y; ++i.y) {
        for (i.x = 0; i.x < launch_.grid.x; ++i.x) run_block();
      }
    }
  }

 private:
  // Shared memory starts as NaN, registers as a pattern that nobody wants.
  void run_block() {
    const std::size_t shared = kernel_.shared_bytes + launch_.dynamic_shared_bytes;
    block_.shared.assign(shared, 0xFF);
    if (block_.options->races) block_.shadow.assign((shared + 3) / 4, Shadow{});
    block_.epoch = 1;
    std::memset(files_.data(), 0xA5, files_.size());
    for (std::uint32_t n = 0; n < warps_.size(); ++n) start(n);
    while (turn()) {
    }
  }
  void start(std::uint32_t number) {
    Warp& warp = warps_[number];
    const auto base = (reinterpret_cast<std::uintptr_t>(files_.data()) + 63) / 64 * 64;
    const std::uint32_t lanes = threads_ - number * warp_size;
    warp.file = reinterpret_cast<unsigned char*>(base) + std::size_t{number} * kernel_.file_bytes;
    warp.block = &block_;
    warp.kernel = &kernel_;
    warp.number = number;
    std::fill(std::begin(warp.counter), std::end(warp.counter), 0u);
    std::fill(std::begin(warp.group), std::end(warp.group), 0u);
    warp.alive = lanes >= warp_size ? all_lanes : (1u << lanes) - 1;
    warp.at_barrier = warp.at_warp_operation = 0;
    warp.sync = 1;
    warp.copies.clear();
    warp.local.assign(std::size_t{kernel_.local_bytes} * warp_size, 0xFF);
    for (const auto& [offset, wide, value] : kernel_.constants) {
      for (int lane = 0; lane < warp_size; ++lane) {
        if (wide) values<std::uint64_t>(warp, offset)[lane] = value;
        if (!wide) values<std::uint32_t>(warp, offset)[lane] = static_cast<std::uint32_t>(value);
      }
    }
    for (const auto& [name, offset] : kernel_.specials) set_special(warp, name, offset);
  }
  void set_special(Warp& warp, const std::string& name, std::uint32_t offset) {
    const Extents& size = launch_.block;
    for (int lane = 0; lane < warp_size; ++lane) {
      const std::uint32_t t = warp.thread(lane);
      const Extents thread{t % size.x, t / size.x % size.y, t / size.x / size.y};
      const Extents& of = name.starts_with("%tid")     ? thread
                          : name.starts_with("%ntid")  ? size
                          : name.starts_with("%ctaid") ? block_.index
                                                       : launch_.grid;
      const char axis = name.back();
      values<std::uint32_t>(warp, offset)[lane] = name == "%laneid" ? static_cast<std::uint32_t>(lane)
                                                  : axis == 'x'     ? of.x
                                                  : axis == 'y'     ? of.y
                                                                    : of.z;
    }
  }
  // Every warp goes on once. false: all threads have ended.
  bool turn() {
    const auto count = static_cast<std::uint32_t>(warps_.size());
    const std::uint32_t first = order_.below(count), stride = order_.coin() ? count - 1 : 1;
    bool moved = false, left = false;
    for (std::uint32_t i = 0; i < count; ++i) {
      Warp& warp = warps_[(first + std::uint64_t{i} * stride) % count];
      if ((warp.alive & ~warp.at_barrier) != 0) {
        Advance(warp, order_.quantum()).run();
        moved = true;
      }
      left |= warp.alive != 0;
    }
    if (!left) return false;
    if (std::any_of(warps_.begin(), warps_.end(), [](const Warp& w) { return (w.alive & ~w.at_barrier) != 0; })) {
      if (!moved) throw KernelFault(KernelFault::Kind::other, kernel_.name + ": the block is stuck");
      return true;
    }
    ++block_.epoch;
    for (Warp& warp : warps_) warp.at_barrier = 0;
    return true;
  }

  const Launch& launch_;
  const Kernel& kernel_;
  const std::uint32_t threads_;
  Order order_;
  Block block_;
  std::vector<Warp> warps_;
  std::vector<unsigned char> files_;
};

}  // namespace

void run(const Launch& launch, const Regions& memory, const Options& options) {
  if (launch.block.x * launch.block.y * launch.block.z > launch.kernel->most_threads) {
    throw KernelFault(KernelFault::Kind::other, launch.kernel->name + ": more threads than its launch bounds");
  }
  GridRun(launch, memory, options).run();
}

}  // namespace adwp::executor
