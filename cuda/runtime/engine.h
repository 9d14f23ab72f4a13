// Products by other means than the kernels here: cuDNN and cuBLAS (cuda/vendor/), always or where they are
// faster. The default engine, hand, knows nothing of this file: it is GpuBackend.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {

// What distinguishes one product from another when they are timed or planned.
struct ProductKey {
  std::string text;  // "conv2d_wgrad 3x3 s1 (64, 8, 8, 40) -> 40", for people
  std::string rest;  // what the text leaves out

  auto operator<=>(const ProductKey&) const = default;
};
ProductKey key_of(const Gemm& op);
template <typename Convolution>
ProductKey key_of(const Convolution& op) {
  return {std::string(op.name) + " " + op.text(), "padding " + std::to_string(op.conv.padding)};
}

// An interface, so that nothing outside cuda/vendor/ knows the headers of cuDNN and cuBLAS; the emulated
// device has no such means. A compute() that returns false has done nothing: it has no deterministic way to
// do this product in this precision, shape and workspace. The kernels here do it then.
class VendorProducts {
 public:
  virtual ~VendorProducts() = default;

  virtual std::string description() const = 0;  // names and versions
  // Each call is given this many bytes of workspace, 256-byte aligned. The same for all shapes: a dry pass
  // over the largest network then tells the memory that any smaller one needs.
  virtual std::size_t workspace_bytes() const = 0;

  virtual bool compute(const Gemm& op, void* workspace) = 0;
  virtual bool compute(const ConvForward& op, void* workspace) = 0;
  virtual bool compute(const ConvDgrad& op, void* workspace) = 0;
  virtual bool compute(const ConvWgrad& op, void* workspace) = 0;
};

// Throws a usage Error where this binary has nothing but the kernels here, an Error when a library is
// missing on this machine. Work goes to the device's stream.
std::unique_ptr<VendorProducts> open_vendor(const Device& device, Precision precision);

class EngineBackend : public GpuBackend {
 public:
  // For any engine but hand. `vendor`: nullptr for what open_vendor gives.
  explicit EngineBackend(const GpuOptions& options, std::unique_ptr<VendorProducts> vendor = nullptr);

  std::string description() const override;
  // What became of the choice, one per line: products that the vendor could not do, by pass and shape, and
  // with Engine::automatic how many went to whom.
  std::vector<std::string> notes() const override;

  // Convolution and batch norm are done, and timed, one after the other.
  bool fuses(const ConvForward& op) const override { return Backend::fuses(op); }
  bool fuses(const ConvWgrad& op) const override { return Backend::fuses(op); }
  bool fuses(const ConvBatchNormForward&) const override { return false; }

  using GpuBackend::compute;

 protected:
  using GpuBackend::workspace;

  std::size_t workspace(const Gemm& op) override;
  std::size_t workspace(const ConvForward& op) override;
  std::size_t workspace(const ConvDgrad& op) override;
  std::size_t workspace(const ConvWgrad& op) override;
  void compute(const Gemm& op, void* workspace) override;
  void compute(const ConvForward& op, void* workspace) override;
  void compute(const ConvDgrad& op, void* workspace) override;
  void compute(const ConvWgrad& op, void* workspace) override;

 private:
  struct Record {
    std::optional<Engine> fastest;  // by Engine::automatic, once measured
    std::int64_t replaced = 0;      // calls meant for the vendor that the kernels here have done
  };

  // Workspace for an accumulating product to be timed in: room to save its result.
  std::size_t spare(const Target& result) const;
  std::size_t workspace_for(std::size_t hand, const Target& result) const;
  // Computes the product by one of the two. With Engine::automatic the first call for a key outside a capture
  // times both, and the faster is remembered, for overwriting and for accumulating; until there was one,
  // products go by hand.
  template <typename Op>
  void run(const Op& op, const Target& result, void* workspace);
  template <typename Op>
  Engine measure(Record& record, const Op& op, void* workspace);

  std::unique_ptr<VendorProducts> vendor_;
  std::map<ProductKey, Record> records_;
};

}  // namespace adwp::ADWP_GPU
