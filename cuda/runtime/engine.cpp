#include "cuda/runtime/engine.h"

#include <fmt/format.h>

#include <algorithm>

namespace adwp::ADWP_GPU {

ProductKey key_of(const kernels::GemmShape& shape, bool bias, Activation act) {
  return {-1, shape.m, shape.n, shape.k, shape.transpose_a, shape.transpose_b, bias, static_cast<int>(act)};
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

EngineChoice::EngineChoice(Engine engine, Device& device, std::unique_ptr<VendorProducts> vendor)
    : engine_(engine), device_(device), vendor_(std::move(vendor)) {
  require(engine == Engine::hand || vendor_ != nullptr, "engine", "no vendor's library was opened");
}

std::size_t EngineChoice::workspace(std::size_t hand) const {
  return engine_ == Engine::hand ? hand : std::max(hand, vendor_->workspace_bytes());
}

void EngineChoice::run(const ProductKey& key, bool accumulate, const Hand& hand, const Vendor& vendor) {
  Engine engine = engine_;
  if (engine == Engine::automatic) {
    auto known = fastest_.find(key);
    if (known == fastest_.end() && !accumulate && !device_.capturing()) {
      known = fastest_.emplace(key, measure(hand, vendor)).first;
    }
    engine = known == fastest_.end() ? Engine::hand : known->second;
  }
  // Also after measuring: what stands in the end is then what the remembered engine gives every time.
  if (engine == Engine::hand || !vendor(*vendor_)) hand();
}

Engine EngineChoice::measure(const Hand& hand, const Vendor& vendor) {
  constexpr int repetitions = 5;
  if (!vendor(*vendor_)) return Engine::hand;  // else it has warmed up
  hand();
  const auto time = [&](const auto& product) {
    return device_.seconds([&] {
      for (int i = 0; i < repetitions; ++i) product();
    });
  };
  const double by_hand = time(hand);
  const double by_vendor = time([&] { vendor(*vendor_); });
  return by_vendor < by_hand ? Engine::vendor : Engine::hand;
}

std::string EngineChoice::description() const {
  if (engine_ == Engine::hand) return "";
  return fmt::format(", by {}{}", engine_ == Engine::automatic ? "the faster of hand and " : "",
                     vendor_->description());
}

}  // namespace adwp::ADWP_GPU
