#include "cuda/runtime/engine.h"

#include <fmt/format.h>

#include <algorithm>

namespace adwp::ADWP_GPU {
namespace {

constexpr std::int64_t gemm_mark = -1;  // in the place of a convolution's pass

std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

ProductKey key_of(const kernels::GemmShape& s, bool bias, Activation act) {
  return {gemm_mark, s.m,         s.n, s.k, s.transpose_a, s.transpose_b, static_cast<int>(act),
          s.batch,   s.bias_each, bias};
}

ProductKey key_of(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w) {
  return {static_cast<int>(pass),
          conv.kernel,
          conv.stride,
          conv.padding,
          conv.depthwise,
          x[0],
          x[1],
          x[2],
          x[3],
          w[0],
          w[3]};
}

std::string text_of(const ProductKey& key) {
  if (key[0] == gemm_mark) {
    return fmt::format("gemm {}{}{} x {}{} x {}", key[7] == 1 ? "" : fmt::format("{} of ", key[7]), key[1],
                       key[4] ? " (A^T)" : "", key[2], key[5] ? " (B^T)" : "", key[3]);
  }
  const char* passes[] = {"forward", "dgrad", "wgrad"};
  return fmt::format("conv2d_{} {}{}x{} s{} ({}, {}, {}, {}) -> {}", passes[key[0]],
                     key[4] ? "depthwise " : "", key[1], key[1], key[2], key[5], key[6], key[7], key[8],
                     key[9]);
}

EngineChoice::EngineChoice(Engine engine, Device& device, std::unique_ptr<VendorProducts> vendor)
    : engine_(engine), device_(device), vendor_(std::move(vendor)) {
  require(engine == Engine::hand || vendor_ != nullptr, "engine", "no vendor's library was opened");
}

std::size_t EngineChoice::workspace(std::size_t hand, std::size_t result, GradMode mode) const {
  if (engine_ == Engine::hand) return hand;
  const bool spare = engine_ == Engine::automatic && mode == GradMode::accumulate;
  return std::max(hand, vendor_->workspace_bytes()) + (spare ? aligned(result) : 0);
}

EngineChoice::Workspace EngineChoice::take_apart(void* workspace, const Tensor& result, GradMode mode) const {
  auto* rest = static_cast<std::byte*>(workspace);
  ProductTarget target{result.data<float>(), nullptr, result.bytes()};
  if (engine_ == Engine::automatic && mode == GradMode::accumulate) {
    target.spare = reinterpret_cast<float*>(rest);
    rest += aligned(target.bytes);
  }
  return {target, rest};
}

void EngineChoice::run(const ProductKey& key, const ProductTarget& target, const Hand& hand,
                       const Vendor& vendor) {
  if (engine_ == Engine::hand) return hand(target.result);
  Record& record = records_[key];
  Engine engine = engine_;
  if (engine == Engine::automatic) {
    if (!record.fastest && !device_.capturing()) record.fastest = measure(record, target, hand, vendor);
    engine = record.fastest.value_or(Engine::hand);
  }
  // Also after measuring: what stands in the end is then what the remembered engine gives every time.
  if (engine == Engine::vendor) {
    if (vendor(*vendor_, target.result)) return;
    ++record.replaced;
  }
  hand(target.result);
}

// On memory where nothing is lost: what accumulates in `spare` means nothing.
Engine EngineChoice::measure(Record& record, const ProductTarget& target, const Hand& hand,
                             const Vendor& vendor) {
  constexpr int repetitions = 5;
  float* result = target.spare != nullptr ? target.spare : target.result;
  if (target.spare != nullptr) device_.fill(result, 0, target.bytes);
  if (!vendor(*vendor_, result)) {  // else it has warmed up
    ++record.replaced;
    return Engine::hand;
  }
  hand(result);
  const auto time = [&](const auto& product) {
    return device_.seconds([&] {
      for (int i = 0; i < repetitions; ++i) product();
    });
  };
  const double by_hand = time([&] { hand(result); });
  const double by_vendor = time([&] { vendor(*vendor_, result); });
  return by_vendor < by_hand ? Engine::vendor : Engine::hand;
}

std::string EngineChoice::description() const {
  if (engine_ == Engine::hand) return "";
  return fmt::format(", by {}{}", engine_ == Engine::automatic ? "the faster of hand and " : "",
                     vendor_->description());
}

std::vector<std::string> EngineChoice::notes() const {
  std::vector<std::string> lines;
  std::int64_t replaced = 0, to_vendor = 0, to_hand = 0;
  for (const auto& [key, record] : records_) {
    replaced += record.replaced > 0;
    to_vendor += record.fastest == Engine::vendor;
    to_hand += record.fastest == Engine::hand && record.replaced == 0;
  }
  if (engine_ == Engine::automatic) {
    lines.push_back(fmt::format(
        "engine auto: of {} products, by pass and shape, {} went to the vendor, {} to the kernels here",
        records_.size(), to_vendor, to_hand));
  }
  if (replaced > 0) {
    lines.push_back(fmt::format(
        "engine: {} of {} products were done by the kernels here: {} has no deterministic way to do them in "
        "this precision, shape and workspace",
        replaced, records_.size(), vendor_->description()));
  }
  for (const auto& [key, record] : records_) {
    if (record.replaced == 0) continue;
    lines.push_back(engine_ == Engine::automatic
                        ? fmt::format("engine: by hand {}", text_of(key))
                        : fmt::format("engine: by hand {}, {} calls", text_of(key), record.replaced));
  }
  return lines;
}

}  // namespace adwp::ADWP_GPU
