// Which warp of a block goes on, and how far.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "tests/cuda/ptx/warp.h"

namespace adwp::executor {
namespace {

// xorshift64: orders of warps, nothing else.
class Order {
 public:
  explicit Order(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1), permuted_(seed != 0) {}
  std::uint32_t below(std::uint32_t count) {
    return permuted_ ? static_cast<std::uint32_t>(next() % count) : 0;
  }
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
    block_.warps = &warps_;
    warps_.resize((threads_ + warp_size - 1) / warp_size);
    files_.resize(warps_.size() * kernel_.file_bytes + 64);
  }

  Ran run() {
    const Extents& grid = launch_.grid;
    const std::uint64_t all = std::uint64_t{grid.x} * grid.y * grid.z, sample = block_.options->sample;
    ran_.blocks = sample == 0 ? all : std::min(sample, all);
    for (std::uint64_t n = 0; n < ran_.blocks; ++n) {  // in order, or from the middle of equal parts
      const std::uint64_t at = ran_.blocks == all ? n : (2 * n + 1) * all / (2 * ran_.blocks);
      block_.index.x = static_cast<std::uint32_t>(at % grid.x);
      block_.index.y = static_cast<std::uint32_t>(at / grid.x % grid.y);
      block_.index.z = static_cast<std::uint32_t>(at / grid.x / grid.y);
      run_block();
    }
    ran_.sharing = block_.sharing;
    return ran_;
  }

 private:
  // Shared memory starts as NaN, registers as a pattern that nobody wants.
  void run_block() {
    const std::size_t shared = kernel_.shared_bytes + launch_.dynamic_shared_bytes;
    block_.shared.assign(shared, 0xFF);
    if (block_.options->races) block_.shadow.assign(shared / kernel_.watched_bytes + 1, Shadow{});
    block_.epoch = 1;
    block_.atomics = 0;
    std::memset(files_.data(), 0xA5, files_.size());
    for (std::uint32_t n = 0; n < warps_.size(); ++n) start(n);
    while (turn()) {
    }
    std::vector<std::uint64_t>& touched = block_.touched;
    std::sort(touched.begin(), touched.end());
    ran_.block_sectors +=
        static_cast<std::uint64_t>(std::unique(touched.begin(), touched.end()) - touched.begin());
    touched.clear();
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
    warp.unfenced = 0;
    std::fill(std::begin(warp.fenced_at), std::end(warp.fenced_at), 0u);
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
        advance(warp, order_.quantum());
        moved = true;
      }
      left |= warp.alive != 0;
    }
    if (!left) return false;
    if (std::any_of(warps_.begin(), warps_.end(),
                    [](const Warp& w) { return (w.alive & ~w.at_barrier) != 0; })) {
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
  Ran ran_;
  std::vector<Warp> warps_;
  std::vector<unsigned char> files_;
};

}  // namespace

Ran run(const Launch& launch, const Regions& memory, const Options& options) {
  if (launch.block.x * launch.block.y * launch.block.z > launch.kernel->most_threads) {
    throw KernelFault(KernelFault::Kind::other,
                      launch.kernel->name + ": more threads than its launch bounds");
  }
  return GridRun(launch, memory, options).run();
}

}  // namespace adwp::executor
