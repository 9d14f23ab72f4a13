// Of a device that has the kernels here alone: the emulated one, or `cuda` built without cuDNN's headers.
#include "cuda/runtime/vendor_products.h"

namespace adwp::ADWP_GPU {

std::unique_ptr<VendorProducts> open_vendor(const Device&, Precision) {
  fail_usage("engine",
             "this device has the hand-written kernels alone, expected --engine hand; vendor and auto are of "
             "the device cuda, built where cuDNN's and cuBLAS's headers are found");
}

}  // namespace adwp::ADWP_GPU
