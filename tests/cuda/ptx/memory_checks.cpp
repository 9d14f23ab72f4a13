#include "tests/cuda/ptx/memory_checks.h"

#include <algorithm>

namespace adwp::executor {

using Kind = KernelFault::Kind;

void stop(const Warp& warp, int lane, Kind kind, const std::string& what) {
  const Extents& block = warp.block->index;
  const Extents& size = warp.block->launch->block;
  const std::uint32_t t = warp.thread(lane);
  auto triple = [](std::uint32_t x, std::uint32_t y, std::uint32_t z) {
    return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
  };
  throw KernelFault(kind, warp.kernel->name + ": " + what + " at '" +
                              (warp.now != nullptr ? warp.now->text : "") + "', block " +
                              triple(block.x, block.y, block.z) + " thread " +
                              triple(t % size.x, t / size.x % size.y, t / size.x / size.y));
}

bool within(const Regions& regions, std::uint64_t address, std::uint64_t bytes) {
  auto found = regions.upper_bound(address);
  return found != regions.begin() && address + bytes <= (--found)->second;
}

void check_global(Warp& warp, int lane, std::uint64_t address, std::uint32_t bytes) {
  if (address % bytes != 0) {
    stop(warp, lane, Kind::misaligned, "misaligned access of " + std::to_string(bytes) + " bytes");
  }
  if (address >= warp.region_begin && address + bytes <= warp.region_end) return;
  const Regions& memory = *warp.block->memory;
  if (!within(memory, address, bytes))
    stop(warp, lane, Kind::address, "illegal address " + std::to_string(address));
  const auto found = std::prev(memory.upper_bound(address));
  warp.region_begin = found->first;
  warp.region_end = found->second;
}

void check_order(Warp& warp, int lane, Access access) {
  if (access == Access::write) {
    warp.unfenced |= 1u << lane;
  } else if (warp.fenced_at[lane] != warp.block->atomics) {
    stop(warp, lane, Kind::race, "race: a read of global memory behind an atomic, no fence between");
  }
}

void check_published(const Warp& warp, int lane) {
  for (const Warp& other : *warp.block->warps) {
    if (other.unfenced == 0) continue;
    stop(warp, lane, Kind::race,
         "race: an atomic before the fence of thread " +
             std::to_string(other.thread(std::countr_zero(other.unfenced))) + ", which has written");
  }
}

namespace {

void check_write_before(const Warp& warp, int lane, const Shadow& s, Access access) {
  const std::uint32_t me = warp.thread(lane);
  if (s.writer == Shadow::nobody || s.writer == me || s.write_epoch != warp.block->epoch) return;
  if (s.writer / warp_size == warp.number && s.write_sync != warp.sync) return;
  stop(warp, lane, Kind::race,
       std::string("race: ") + (access == Access::write ? "write" : "read") + " after thread " +
           std::to_string(s.writer) + " wrote");
}

void check_reads_before(const Warp& warp, int lane, const Shadow& s) {
  if (s.reader_warp == Shadow::nobody || s.read_epoch != warp.block->epoch) return;
  if (s.reader_warp == warp.number && (s.read_sync != warp.sync || s.reader == warp.thread(lane))) return;
  stop(warp, lane, Kind::race, "race: write after another thread read");
}

void note_read(const Warp& warp, int lane, Shadow& s) {
  const std::uint32_t me = warp.thread(lane);
  if (s.read_epoch != warp.block->epoch) {
    s.reader_warp = warp.number;
  } else if (s.reader_warp != warp.number) {
    s.reader_warp = Shadow::many;
  } else if (s.read_sync == warp.sync && s.reader != me) {
    s.reader = Shadow::many;
    return;
  }
  s.reader = me;
  s.read_epoch = warp.block->epoch;
  s.read_sync = warp.sync;
}

}  // namespace

void check_shared(Warp& warp, int lane, std::uint32_t at, std::uint32_t bytes, Access access) {
  Block& block = *warp.block;
  if (at % bytes != 0) stop(warp, lane, Kind::misaligned, "misaligned access of shared memory");
  if (std::uint64_t{at} + bytes > block.shared.size())
    stop(warp, lane, Kind::address, "out of shared memory");
  if (!block.options->races) return;
  const std::uint32_t watched = warp.kernel->watched_bytes;
  for (std::uint32_t cell = at / watched; cell < (at + bytes + watched - 1) / watched; ++cell) {
    Shadow& s = block.shadow[cell];
    check_write_before(warp, lane, s, access);
    if (access == Access::read) {
      note_read(warp, lane, s);
      continue;
    }
    check_reads_before(warp, lane, s);
    s.writer = warp.thread(lane);
    s.write_epoch = block.epoch;
    s.write_sync = warp.sync;
  }
}

void count_shared(const Instruction& in, std::uint32_t lanes, const std::uint32_t* at, std::uint32_t bytes) {
  const int together = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
  for (int first = 0; first < warp_size; first += together) {
    std::vector<std::uint32_t> words;
    for (int lane = first; lane < first + together; ++lane) {
      if ((lanes >> lane & 1) == 0) continue;
      for (std::uint32_t k = 0; k < (bytes + 3) / 4; ++k) words.push_back(at[lane] / 4 + k);
    }
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    std::uint32_t of_bank[32] = {}, most = 0;
    for (const std::uint32_t word : words) most = std::max(most, ++of_bank[word % 32]);
    in.counters.bank_rounds += most;
    in.counters.ideal_rounds += (words.size() + 31) / 32;
  }
}

void count_global(Block& block, const Instruction& in, std::uint32_t lanes, const std::uint64_t* at,
                  std::uint32_t bytes, Access access) {
  std::vector<std::uint64_t> sectors;
  each(lanes, [&](int lane) {
    sectors.push_back(at[lane] / 32);
    if ((at[lane] + bytes - 1) / 32 != at[lane] / 32) sectors.push_back((at[lane] + bytes - 1) / 32);
  });
  std::sort(sectors.begin(), sectors.end());
  const auto distinct =
      static_cast<std::uint64_t>(std::unique(sectors.begin(), sectors.end()) - sectors.begin());
  for (std::uint64_t i = 0; i < distinct; ++i) {
    block.touched.push_back(sectors[i] * 2 + (access == Access::write ? 1 : 0));
  }
  const std::uint64_t wanted = (std::uint64_t(std::popcount(lanes)) * bytes + 31) / 32;
  in.counters.sectors += distinct;
  in.counters.ideal_sectors += std::min(distinct, wanted);
}

}  // namespace adwp::executor
