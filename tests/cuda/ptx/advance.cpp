// Which lanes of a warp run together, and what they wait for.
#include <algorithm>

#include "tests/cuda/ptx/warp.h"

namespace adwp::executor {
namespace {

// Lanes that stand at the lowest program counter run until one of them meets what it must wait for, or
// others.
class Advance {
 public:
  explicit Advance(Warp& warp, std::uint64_t quantum) : warp_(warp), quantum_(quantum) {}

  // Until the warp waits for the block, has ended or has used up its quantum.
  void run() {
    for (;;) {
      if (warp_.alive == 0) return;
      const std::uint32_t ready = warp_.alive & ~warp_.at_barrier & ~warp_.at_warp_operation;
      if (ready == 0) {
        if (warp_.at_warp_operation == 0) return;
        go_on_without_the_ended();
        continue;
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
  // Lanes that have ended need not be waited for.
  void go_on_without_the_ended() {
    bool moved = false;
    each(warp_.at_warp_operation, [&](int lane) {
      if ((warp_.at_warp_operation >> lane & 1) == 0) return;  // went on with one before
      at_ = warp_.counter[lane];
      const std::uint32_t waiting = arrived();
      const Instruction& in = warp_.kernel->code[at_];
      if ((operand<std::uint32_t>(warp_, in, Instruction::members)[lane] & warp_.alive & ~waiting) != 0)
        return;
      complete(in, waiting);
      moved = true;
    });
    if (moved) return;
    const int lane = std::countr_zero(warp_.at_warp_operation);
    warp_.now = &warp_.kernel->code[warp_.counter[lane]];
    stop(warp_, lane, KernelFault::Kind::other, "an operation of the warp that other lanes never reach");
  }
  // Lanes that wait at the present instruction.
  std::uint32_t arrived() const {
    std::uint32_t lanes = 0;
    each(warp_.at_warp_operation,
         [&](int lane) { lanes |= std::uint32_t{warp_.counter[lane] == at_} << lane; });
    return lanes;
  }
  void complete(const Instruction& in, std::uint32_t lanes) {
    warp_.at_warp_operation &= ~lanes;
    warp_.now = &in;
    in.execute(warp_, in, lanes);
    leave(lanes, at_ + 1);
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
      case Instruction::Kind::branch:
        return branch(in.target, taking);
      case Instruction::Kind::end:
        warp_.alive &= ~taking;
        leave(lanes_ & ~taking, at_ + 1);
        return false;
      case Instruction::Kind::barrier:
        warp_.at_barrier |= taking;
        leave(lanes_, at_ + 1);
        return false;
      case Instruction::Kind::warp:
        warp_operation(in, taking);
        return false;
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
    if ((taking & ~named) != 0) {
      stop(warp_, std::countr_zero(taking & ~named), KernelFault::Kind::other,
           "a lane that is not named takes part");
    }
    if ((named & warp_.alive & ~(taking | arrived())) != 0) {
      warp_.at_warp_operation |= taking;
      leave(taking, at_);
      return;
    }
    complete(in, taking | arrived());
  }

  Warp& warp_;
  std::uint64_t quantum_;
  std::uint32_t at_ = 0, next_ = 0, lanes_ = 0;
  bool spent_ = false;
};

}  // namespace

void advance(Warp& warp, std::uint64_t quantum) { Advance(warp, quantum).run(); }

}  // namespace adwp::executor
