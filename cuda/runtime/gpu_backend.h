// The class behind cuda::open and emulated::open: checks are done (Backend), workspaces are there; each
// method hands plain pointers to its launchers.
#pragma once

#include "cuda/cuda_backend.h"
#include "cuda/kernels/product.h"
#include "cuda/runtime/device.h"

namespace adwp::ADWP_GPU {

class GpuBackend : public Backend {
 public:
  explicit GpuBackend(Precision precision);

  std::string name() const override;
  std::string description() const override;
  void synchronize() override { device_.synchronize(); }

 private:
#include "framework/backend/overrides.inc"

  Stream stream() const { return device_.stream(); }

  Device device_;
  ProductChoice choice_;
};

}  // namespace adwp::ADWP_GPU
