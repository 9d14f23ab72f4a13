// Who computes a product: the kernels here, or cuDNN and cuBLAS (cuda/vendor/).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cuda/runtime/vendor_products.h"

namespace adwp::ADWP_GPU {

// What distinguishes one product from another when they are timed or planned.
using ProductKey = std::array<std::int64_t, 11>;
ProductKey key_of(const kernels::GemmShape& shape, bool bias, Activation act);
ProductKey key_of(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w);
std::string text_of(const ProductKey& key);  // "conv2d_wgrad 3x3 s1 (64, 8, 8, 40) -> 40"

// Where a product's result goes. `spare`: as much memory for an accumulating product to be timed on; null for
// one that overwrites, which is timed on the result itself.
struct ProductTarget {
  float* result;
  float* spare;
  std::size_t bytes;
};

class EngineChoice {
 public:
  // `vendor` may be null when `engine` is hand. `device` must outlive this.
  EngineChoice(Engine engine, Device& device, std::unique_ptr<VendorProducts> vendor);

  // Bytes of workspace to ask for, where the kernels here want `hand` and the result has `result` bytes; and
  // that workspace taken apart.
  std::size_t workspace(std::size_t hand, std::size_t result, GradMode mode) const;
  struct Workspace {
    ProductTarget target;
    void* rest;
  };
  Workspace take_apart(void* workspace, const Tensor& result, GradMode mode) const;

  using Hand = std::function<void(float* result)>;
  using Vendor = std::function<bool(VendorProducts&, float* result)>;
  // Computes the product by one of the two, which write the same result. With Engine::automatic the first
  // call for a key outside a capture times both, and the faster is remembered, for overwriting and for
  // accumulating; until there was one, products go by hand.
  void run(const ProductKey& key, const ProductTarget& target, const Hand& hand, const Vendor& vendor);

  Engine engine() const { return engine_; }
  std::string description() const;  // "" for hand, else with a comma before it
  // What became of the choice, a line each: products that the vendor could not do, by pass and shape, and
  // with Engine::automatic how many went to whom.
  std::vector<std::string> notes() const;

 private:
  struct Record {
    std::optional<Engine> fastest;  // by Engine::automatic, once measured
    std::int64_t replaced = 0;      // calls meant for the vendor that the kernels here have done
  };

  Engine measure(Record& record, const ProductTarget& target, const Hand& hand, const Vendor& vendor);

  Engine engine_;
  Device& device_;
  std::unique_ptr<VendorProducts> vendor_;
  std::map<ProductKey, Record> records_;
};

}  // namespace adwp::ADWP_GPU
