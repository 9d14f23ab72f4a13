// ld, st and cp.async.
#include <cstring>

#include "tests/cuda/ptx/operations.h"

namespace adwp::executor {
namespace {

using Kind = KernelFault::Kind;

template <typename A>
std::uint64_t address_of(Warp& warp, const Instruction& in, int which, int lane) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(operand<A>(warp, in, which)[lane]) + in.offset);
}

template <Space space>
unsigned char* checked(Warp& warp, int lane, std::uint64_t address, std::uint32_t bytes, Access access) {
  if constexpr (space == Space::global) {
    check_global(warp, lane, address, bytes);
    check_order(warp, lane, access);
    return reinterpret_cast<unsigned char*>(address);
  } else if constexpr (space == Space::shared) {
    check_shared(warp, lane, static_cast<std::uint32_t>(address), bytes, access);
    return warp.block->shared.data() + static_cast<std::uint32_t>(address);
  } else if constexpr (space == Space::local) {
    const std::uint64_t size = warp.kernel->local_bytes;
    if (address + bytes > size) stop(warp, lane, Kind::address, "out of local memory");
    return warp.local.data() + static_cast<std::uint64_t>(lane) * size + address;
  } else {
    if (address + bytes > warp.kernel->parameter_bytes) stop(warp, lane, Kind::address, "out of parameters");
    return const_cast<unsigned char*>(warp.block->launch->parameters.data()) + address;
  }
}

template <Space space, typename A>
void count(Warp& warp, const Instruction& in, std::uint32_t lanes, int base, std::uint32_t bytes,
           Access access) {
  if (!warp.block->options->counters || (space != Space::shared && space != Space::global)) return;
  std::uint64_t at[warp_size] = {};
  std::uint32_t narrow[warp_size] = {};
  each(lanes, [&](int lane) {
    at[lane] = address_of<A>(warp, in, base, lane);
    narrow[lane] = static_cast<std::uint32_t>(at[lane]);
  });
  if (space == Space::shared) count_shared(in, lanes, narrow, bytes);
  if (space == Space::global) count_global(*warp.block, in, lanes, at, bytes, access);
}

// T: in memory. D: in registers. A: the address's register.
template <Space space, typename T, typename D, typename A, int N>
void load(Warp& warp, const Instruction& in, std::uint32_t lanes) {
  count<space, A>(warp, in, lanes, N, sizeof(T) * N, Access::read);
  each(lanes, [&](int lane) {
    T value[N];
    std::memcpy(value,
                checked<space>(warp, lane, address_of<A>(warp, in, N, lane), sizeof(value), Access::read),
                sizeof(value));
    for (int v = 0; v < N; ++v) operand<D>(warp, in, v)[lane] = static_cast<D>(value[v]);
  });
}
template <Space space, typename T, typename D, typename A, int N>
void store(Warp& warp, const Instruction& in, std::uint32_t lanes) {
  count<space, A>(warp, in, lanes, N, sizeof(T) * N, Access::write);
  each(lanes, [&](int lane) {
    T value[N];
    for (int v = 0; v < N; ++v) value[v] = static_cast<T>(operand<D>(warp, in, v)[lane]);
    std::memcpy(checked<space>(warp, lane, address_of<A>(warp, in, N, lane), sizeof(value), Access::write),
                value, sizeof(value));
  });
}

template <Space space, typename T, typename D, int N>
Execute either(Access access) {
  constexpr bool wide = space == Space::global || space == Space::local || space == Space::wide_parameter;
  using A = std::conditional_t<wide, std::uint64_t, std::uint32_t>;
  return access == Access::read ? load<space, T, D, A, N> : store<space, T, D, A, N>;
}

// T of one or two bytes, whose sign fills a register of four or eight.
template <Space space, typename T, int N>
Execute narrow(Access access, bool wide) {
  using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
  using Single = std::conditional_t<std::is_signed_v<T>, std::int32_t, std::uint32_t>;
  return wide ? either<space, T, Wide, N>(access) : either<space, T, Single, N>(access);
}

template <Space space, int N>
Execute of_type(Access access, const std::string& type, bool wide) {
  using std::int16_t, std::int32_t, std::int64_t, std::int8_t, std::uint16_t, std::uint32_t, std::uint64_t,
      std::uint8_t;
  if (type.ends_with("64")) return wide ? either<space, uint64_t, uint64_t, N>(access) : nullptr;
  if (type == "s32" && wide) return either<space, int32_t, int64_t, N>(access);
  if (type.ends_with("32")) {
    return wide ? either<space, uint32_t, uint64_t, N>(access) : either<space, uint32_t, uint32_t, N>(access);
  }
  if (type == "u16" || type == "b16") return narrow<space, uint16_t, N>(access, wide);
  if (type == "s16") return narrow<space, int16_t, N>(access, wide);
  if (type == "u8" || type == "b8") return narrow<space, uint8_t, N>(access, wide);
  if (type == "s8") return narrow<space, int8_t, N>(access, wide);
  return nullptr;
}

template <Space space>
Execute of_count(Access access, const std::string& type, bool wide, std::size_t registers) {
  if (registers == 1) return of_type<space, 1>(access, type, wide);
  if (registers == 2) return of_type<space, 2>(access, type, wide);
  if (registers == 4) return of_type<space, 4>(access, type, wide);
  return nullptr;
}

void count_async(Warp& warp, const Instruction& in, std::uint32_t lanes, const std::uint32_t* to,
                 const std::uint64_t* from, std::uint32_t bytes) {
  std::uint32_t reading = 0;
  each(lanes,
       [&](int lane) { reading |= std::uint32_t{operand<std::uint32_t>(warp, in, 2)[lane] > 0} << lane; });
  count_shared(in, lanes, to, bytes);
  if (reading != 0) count_global(*warp.block, in, reading, from, bytes, Access::read);
}

// What is read is taken at once; the destination holds NaN until the wait.
template <std::uint32_t Bytes>
void async_copy(Warp& warp, const Instruction& in, std::uint32_t lanes) {
  std::uint64_t from[warp_size] = {};
  std::uint32_t to[warp_size] = {};
  each(lanes, [&](int lane) {
    to[lane] = operand<std::uint32_t>(warp, in, 0)[lane] + static_cast<std::uint32_t>(in.offset);
    from[lane] = operand<std::uint64_t>(warp, in, 1)[lane] +
                 static_cast<std::uint64_t>(static_cast<std::int32_t>(in.operands[3]));
  });
  if (warp.block->options->counters) count_async(warp, in, lanes, to, from, Bytes);
  each(lanes, [&](int lane) {
    const std::uint32_t read = operand<std::uint32_t>(warp, in, 2)[lane];
    if (read > Bytes) stop(warp, lane, Kind::other, "cp.async reads more than it writes");
    if (from[lane] % Bytes != 0) stop(warp, lane, Kind::misaligned, "misaligned cp.async");
    AsyncCopy copy{lane, warp.group[lane], to[lane], Bytes, {}};
    if (read > 0) {
      check_global(warp, lane, from[lane], Bytes);
      std::memcpy(copy.data, reinterpret_cast<const void*>(from[lane]), read);
    }
    check_shared(warp, lane, to[lane], Bytes, Access::write);
    std::memset(warp.block->shared.data() + to[lane], 0xFF, Bytes);
    warp.copies.push_back(copy);
  });
}

}  // namespace

void fence(Warp& warp, const Instruction&, std::uint32_t lanes) {
  warp.unfenced &= ~lanes;
  each(lanes, [&](int lane) { warp.fenced_at[lane] = warp.block->atomics; });
}

// Of a sample no block is the last one, or each is of all that it takes part in; memory stays as it is.
void atomic_increment(Warp& warp, const Instruction& in, std::uint32_t lanes) {
  Block& block = *warp.block;
  each(lanes, [&](int lane) {
    const std::uint64_t address = address_of<std::uint64_t>(warp, in, 1, lane);
    const std::uint32_t limit = operand<std::uint32_t>(warp, in, 2)[lane];
    check_global(warp, lane, address, 4);
    check_published(warp, lane);
    ++block.atomics;
    std::uint32_t before = 0;
    if (block.options->sample > 0) {
      before = block.options->last ? limit : 0;
      if (block.sharing == 0) block.sharing = std::uint64_t{limit} + 1;
    } else {
      auto* at = reinterpret_cast<std::uint32_t*>(address);
      before = *at;
      *at = before >= limit ? 0 : before + 1;
    }
    operand<std::uint32_t>(warp, in, 0)[lane] = before;
  });
}

Execute memory_operation(Space space, Access access, const std::string& type, bool wide, std::size_t count) {
  switch (space) {
    case Space::global:
      return of_count<Space::global>(access, type, wide, count);
    case Space::shared:
      return of_count<Space::shared>(access, type, wide, count);
    case Space::local:
      return of_count<Space::local>(access, type, wide, count);
    case Space::parameter:
      return of_count<Space::parameter>(access, type, wide, count);
    case Space::wide_parameter:
      return of_count<Space::wide_parameter>(access, type, wide, count);
  }
  return nullptr;
}

Execute async_copy_operation(std::uint32_t bytes) {
  return bytes == 16 ? async_copy<16> : bytes == 8 ? async_copy<8> : bytes == 4 ? async_copy<4> : nullptr;
}

void async_commit(Warp& warp, const Instruction&, std::uint32_t lanes) {
  each(lanes, [&](int lane) { ++warp.group[lane]; });
}

// Copies of all but the latest groups land. A thread sees its own then; others after a barrier.
void async_wait(Warp& warp, const Instruction& in, std::uint32_t lanes) {
  std::erase_if(warp.copies, [&](const AsyncCopy& copy) {
    if ((lanes >> copy.lane & 1) == 0 || copy.group + in.target >= warp.group[copy.lane]) return false;
    check_shared(warp, copy.lane, copy.to, copy.bytes, Access::write);
    std::memcpy(warp.block->shared.data() + copy.to, copy.data, copy.bytes);
    return true;
  });
}

}  // namespace adwp::executor
