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
// call down after all, compute() returns false. In f32 that may be Winograd's or an FFT: f32 arithmetic
// throughout, but other sums than those of the formula.
class Convolution {
 public:
  Convolution(void* stream, Precision precision, std::size_t workspace_bytes);
  ~Convolution();
  Convolution(const Convolution&) = delete;
  Convolution& operator=(const Convolution&) = delete;

  // As VendorProducts::compute.
  bool compute(const ConvForward& op, void* workspace);
  bool compute(const ConvDgrad& op, void* workspace);
  bool compute(const ConvWgrad& op, void* workspace);

 private:
  struct Plan;  // descriptors and the algorithm of one pass on one shape

  // The plan of `key`; a new one is given its algorithm by choose(plan).
  template <typename Choose>
  const Plan& plan(const ProductKey& key, const Conv2d& conv, const Shape& x, const Shape& w,
                   const Choose& choose);
  // False where cuDNN cannot do it whatever the algorithm.
  bool describe(const Plan& plan, const Conv2d& conv, const Shape& x, const Shape& w);
  template <typename Proposal, typename Propose, typename Bytes, typename A, typename B, typename Result>
  void choose(Plan& plan, Propose propose, Bytes bytes, A a, B b, Result result);
  bool done(cudnnStatus_t status) const;

  Cudnn cudnn_;
  Precision precision_;
  std::size_t workspace_bytes_;
  cudnnHandle_t handle_ = nullptr;
  std::map<ProductKey, std::unique_ptr<Plan>> plans_;
};

}  // namespace adwp::cuda::vendor
