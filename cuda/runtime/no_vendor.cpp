// Of a device that has only the kernels here: the emulated one, or `cuda` built without cuDNN's headers.
#include "cuda/runtime/engine.h"
#include "framework/core/error.h"

namespace adwp::ADWP_GPU {

std::unique_ptr<VendorProducts> open_vendor(const Device&, Precision) {
  fail_usage("engine",
             "this device has only the hand-written kernels, expected --engine hand; vendor and auto are of "
             "the device cuda, built where cuDNN's and cuBLAS's headers are found");
}

}  // namespace adwp::ADWP_GPU
