// Convolution, dense and depthwise, by cuDNN.
#pragma once

#include <map>
#include <memory>

#include "cuda/runtime/engine.h"
#include "cuda/vendor/functions.h"

namespace adwp::cuda::vendor {

// In f32 (CUDNN_FMA_MATH) or TF32. cuDNN has no mode that multiplies f32 tensors in bf16: with that
// precision convolutions stay with the kernels here.
//
// Of the algorithms that cuDNN proposes for a shape, fastest first by its own estimate, the first is taken
// that it calls deterministic and that fits the workspace; where there is none, and where cuDNN turns the
// call down after all, run() returns false. In f32 that may be Winograd's or an FFT: f32 arithmetic
// throughout, but other sums than those of the formula.
class Convolution {
 public:
  Convolution(Stream stream, Precision precision);
  ~Convolution();
  Convolution(const Convolution&) = delete;
  Convolution& operator=(const Convolution&) = delete;

  // As VendorProducts::convolution.
  bool run(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w, const float* first,
           const float* second, float* result, bool accumulate, void* workspace, std::size_t workspace_bytes);

 private:
  struct Plan;  // descriptors and the algorithm of one pass on one shape
  const Plan& plan(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w, std::size_t limit);
  std::unique_ptr<Plan> make_plan(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                                  std::size_t limit);
  template <typename Proposal, typename Propose, typename Bytes>
  void choose(Plan& plan, std::size_t limit, const Propose& propose, const Bytes& bytes);

  Cudnn cudnn_;
  Precision precision_;
  cudnnHandle_t handle_ = nullptr;
  std::map<ProductKey, std::unique_ptr<Plan>> plans_;
};

}  // namespace adwp::cuda::vendor
