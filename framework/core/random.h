// Counter-based randomness: Philox4x32-10 (Salmon et al., SC 2011).
//
// A number depends only on (seed, purpose, step, index), never on how many were drawn before, so
// every step can be repeated by itself, on any device, after any resume.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#if defined(__CUDACC__)
#define ADWP_HOST_DEVICE __host__ __device__
#else
#define ADWP_HOST_DEVICE
#endif

namespace adwp {

// What a stream of numbers is for. Part of the key: two purposes never share numbers.
enum class Purpose : std::uint32_t {
  initialise = 1,
  shuffle = 2,
  augment = 3,
  architecture = 4,
  evolution = 5,
  split = 6,
  synthetic = 7,
  bootstrap = 8,
  test = 9,
  mix = 10,
  erase = 11,
  drop = 12,
};

struct Philox {
  using Block = std::array<std::uint32_t, 4>;

  // Ten rounds on `counter` under `key`.
  ADWP_HOST_DEVICE static Block generate(Block counter, std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
      const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
      counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                 static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
      key[0] += 0x9E3779B9u;
      key[1] += 0xBB67AE85u;
    }
    return counter;
  }
};

// The numbers of one (seed, purpose, step), drawn in order. `step` is any 64-bit label: an epoch, a
// training step, the index of an architecture.
class Random {
 public:
  Random(std::uint64_t seed, Purpose purpose, std::uint64_t step = 0)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        counter_{0, static_cast<std::uint32_t>(purpose), static_cast<std::uint32_t>(step),
                 static_cast<std::uint32_t>(step >> 32)} {}

  std::uint32_t bits() {
    if (used_ == 4) {
      block_ = Philox::generate(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }
  // Uniform in [0, 1), 24 bits.
  float uniform() { return (bits() >> 8) * 0x1p-24f; }
  // Uniform in [0, n), n >= 1, without bias (Lemire 2019).
  std::uint32_t below(std::uint32_t n);
  // Standard normal (Box-Muller).
  float normal();
  bool coin() { return (bits() & 1u) != 0; }

  // Fisher-Yates.
  template <typename T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[below(i)]);
    }
  }

 private:
  std::array<std::uint32_t, 2> key_;
  Philox::Block counter_;
  Philox::Block block_{};
  std::size_t used_ = 4;
};

// 0 .. n-1 in an order that depends only on the generator.
std::vector<std::int32_t> permutation(Random random, std::int64_t n);

}  // namespace adwp
