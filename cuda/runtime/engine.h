// Who computes a product: the kernels here, or cuDNN and cuBLAS (cuda/vendor/).
#pragma once

#include <array>
#include <functional>
#include <map>

#include "cuda/runtime/vendor_products.h"

namespace adwp::ADWP_GPU {

// What distinguishes one product from another when they are timed or planned.
using ProductKey = std::array<std::int64_t, 11>;
ProductKey key_of(const kernels::GemmShape& shape, bool bias, Activation act);
ProductKey key_of(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w);

class EngineChoice {
 public:
  // `vendor` may be null when `engine` is hand. `device` must outlive this.
  EngineChoice(Engine engine, Device& device, std::unique_ptr<VendorProducts> vendor);

  // Bytes of workspace to ask for, where the kernels here want `hand`.
  std::size_t workspace(std::size_t hand) const;

  using Hand = std::function<void()>;
  using Vendor = std::function<bool(VendorProducts&)>;
  // Computes the product by one of the two, which write the same result. With Engine::automatic the first
  // call for a key times both, and the faster is remembered. Only calls that overwrite can be repeated, and
  // only outside a capture: until there was one, the others go by hand.
  void run(const ProductKey& key, bool accumulate, const Hand& hand, const Vendor& vendor);

  std::string description() const;  // "" for hand, else with a comma before it

 private:
  Engine measure(const Hand& hand, const Vendor& vendor);

  Engine engine_;
  Device& device_;
  std::unique_ptr<VendorProducts> vendor_;
  std::map<ProductKey, Engine> fastest_;
};

}  // namespace adwp::ADWP_GPU
