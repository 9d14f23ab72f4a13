// The class behind cuda::open and emulated::open: checks are done (Backend), workspaces are there; each
// method hands plain pointers to its launchers.
#pragma once

#include "cuda/cuda_backend.h"
#include "cuda/kernels/product.h"
#include "cuda/runtime/engine.h"

namespace adwp::ADWP_GPU {

class GpuBackend : public Backend {
 public:
  explicit GpuBackend(const GpuOptions& options);

  std::string name() const override;
  std::string description() const override;
  std::vector<std::string> notes() const override { return engine_.notes(); }
  void synchronize() override { device_.synchronize(); }
  double seconds(const std::function<void()>& work) override { return device_.seconds(work); }
  std::unique_ptr<Graph> capture(const std::function<void()>& work) override { return device_.capture(work); }

 private:
#include "framework/backend/overrides.inc"
  std::optional<std::size_t> conv2d_batch_norm_workspace(const Conv2d& conv, const Shape& x,
                                                         const Shape& w) override;
  void do_conv2d_batch_norm_forward(const Conv2d& conv, const Tensor& x, const Tensor& w, const Tensor& scale,
                                    const Tensor& shift, float epsilon, Activation act, const Tensor& y,
                                    const Tensor& z, const Tensor& mean, const Tensor& var,
                                    void* workspace) override;

  Stream stream() const { return device_.stream(); }

  struct ConvOperands {
    const Tensor &first, &second, &result;  // as VendorProducts::convolution has them
  };
  // A convolution by the engine chosen for it; `hand` is given where the result goes and its scratch.
  void convolve(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                const ConvOperands& operands, GradMode mode, void* workspace,
                const std::function<void(float* result, float* scratch)>& hand);

  Device device_;
  ProductChoice choice_;
  EngineChoice engine_;  // after the device, whose stream it holds
};

}  // namespace adwp::ADWP_GPU
