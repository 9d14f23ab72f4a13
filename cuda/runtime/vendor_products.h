// Products by other means than the kernels here. An interface, so that nothing outside cuda/vendor/ knows
// the headers of cuDNN and cuBLAS; the emulated device has no such means.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "cuda/cuda_backend.h"
#include "cuda/kernels/gemm.h"
#include "cuda/runtime/device.h"

namespace adwp::ADWP_GPU {

// All pointers are f32 on the device; formulas: framework/backend/backend.h. A method that returns false has
// done nothing, for want of a deterministic way to do this product in this precision, shape and workspace:
// the kernels here do it then.
class VendorProducts {
 public:
  virtual ~VendorProducts() = default;

  virtual std::string description() const = 0;  // names and versions
  // Each call is given this many bytes of workspace, 256-byte aligned. The same for all shapes: a dry pass
  // over the largest network then tells the memory that any smaller one needs.
  virtual std::size_t workspace_bytes() const = 0;

  // As kernels::gemm (cuda/kernels/gemm.h).
  virtual bool gemm(const kernels::GemmShape& shape, const float* a, const float* b, const float* bias,
                    Activation act, float* c, bool accumulate, void* workspace) = 0;
  // x: shape of the convolution's input, w: of its kernel. Operands as Backend's methods have them: forward
  // (x, w) to y, dgrad (dy, w) to dx, wgrad (x, dy) to dw.
  virtual bool convolution(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                           const float* first, const float* second, float* result, bool accumulate,
                           void* workspace) = 0;
};

// Throws a usage Error where this binary has nothing but the kernels here, an Error when a library is
// missing on this machine. Work goes to the device's stream.
std::unique_ptr<VendorProducts> open_vendor(const Device& device, Precision precision);

}  // namespace adwp::ADWP_GPU
