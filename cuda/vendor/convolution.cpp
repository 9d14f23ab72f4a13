#include "cuda/vendor/convolution.h"

#include <array>
#include <limits>
#include <optional>

namespace adwp::cuda::vendor {
namespace {

// Extents that cuDNN takes.
bool fits_int(const Shape& shape) {
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] < 1 || shape[axis] > std::numeric_limits<int>::max()) return false;
  }
  return true;
}
int narrow(std::int64_t value) { return static_cast<int>(value); }

}  // namespace

struct Convolution::Plan {
  explicit Plan(const Cudnn& library) : cudnn(library) {
    cudnn.check(cudnn.cudnnCreateTensorDescriptor(&x), "a descriptor");
    cudnn.check(cudnn.cudnnCreateTensorDescriptor(&y), "a descriptor");
    cudnn.check(cudnn.cudnnCreateFilterDescriptor(&w), "a descriptor");
    cudnn.check(cudnn.cudnnCreateConvolutionDescriptor(&convolution), "a descriptor");
  }
  ~Plan() {
    cudnn.cudnnDestroyTensorDescriptor(x);
    cudnn.cudnnDestroyTensorDescriptor(y);
    cudnn.cudnnDestroyFilterDescriptor(w);
    cudnn.cudnnDestroyConvolutionDescriptor(convolution);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const Cudnn& cudnn;
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnFilterDescriptor_t w = nullptr;
  cudnnConvolutionDescriptor_t convolution = nullptr;
  std::optional<int> algorithm;  // of the pass's own enumeration
};

Convolution::Convolution(Stream stream, Precision precision) : precision_(precision) {
  cudnn_.check(cudnn_.cudnnCreate(&handle_), "opening");
  cudnn_.check(cudnn_.cudnnSetStream(handle_, static_cast<cudaStream_t>(stream)), "setting the stream");
}

Convolution::~Convolution() {
  plans_.clear();
  cudnn_.cudnnDestroy(handle_);
}

// Takes the first proposal that will do. A proposal is an algorithm with a way to multiply; in f32 only one
// way is allowed, whatever cuDNN proposes.
template <typename Proposal, typename Propose, typename Bytes>
void Convolution::choose(Plan& plan, std::size_t limit, const Propose& propose, const Bytes& bytes) {
  std::array<Proposal, 16> proposals{};
  int count = 0;
  if (propose(narrow(proposals.size()), &count, proposals.data()) != CUDNN_STATUS_SUCCESS) return;
  for (int i = 0; i < count; ++i) {
    const Proposal& p = proposals[static_cast<std::size_t>(i)];
    if (p.status != CUDNN_STATUS_SUCCESS || p.determinism != CUDNN_DETERMINISTIC) continue;
    const cudnnMathType_t math = precision_ == Precision::f32 ? CUDNN_FMA_MATH : p.mathType;
    if (math == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION) continue;  // which may round to 16 bits
    cudnn_.check(cudnn_.cudnnSetConvolutionMathType(plan.convolution, math), "setting the arithmetic");
    std::size_t wanted = 0;
    if (bytes(p.algo, &wanted) != CUDNN_STATUS_SUCCESS || wanted > limit) continue;
    plan.algorithm = p.algo;
    return;
  }
}

std::unique_ptr<Convolution::Plan> Convolution::make_plan(ConvPass pass, const Conv2d& conv, const Shape& x,
                                                          const Shape& w, std::size_t limit) {
  auto made = std::make_unique<Plan>(cudnn_);
  Plan& p = *made;
  const Shape y = conv2d_output(conv, x, w);
  if (precision_ == Precision::bf16 || !fits_int(x) || !fits_int(w) || !fits_int(y)) return made;
  const auto set_tensor = [&](cudnnTensorDescriptor_t descriptor, const Shape& s) {
    cudnn_.check(cudnn_.cudnnSetTensor4dDescriptor(descriptor, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT,
                                                   narrow(s[0]), narrow(s[3]), narrow(s[1]), narrow(s[2])),
                 "a tensor's descriptor");
  };
  set_tensor(p.x, x);
  set_tensor(p.y, y);
  cudnn_.check(cudnn_.cudnnSetFilter4dDescriptor(p.w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, narrow(w[0]),
                                                 narrow(w[3]), narrow(w[1]), narrow(w[2])),
               "a kernel's descriptor");
  const int padding = narrow(conv.padding), stride = narrow(conv.stride);
  cudnn_.check(cudnn_.cudnnSetConvolution2dDescriptor(p.convolution, padding, padding, stride, stride, 1, 1,
                                                      CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
               "a convolution's descriptor");
  const int groups = conv.depthwise ? narrow(x[3]) : 1;
  cudnn_.check(cudnn_.cudnnSetConvolutionGroupCount(p.convolution, groups), "setting groups");
  // What is proposed depends on it.
  const cudnnMathType_t math = precision_ == Precision::f32 ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH;
  cudnn_.check(cudnn_.cudnnSetConvolutionMathType(p.convolution, math), "setting the arithmetic");

  // The three passes differ in the order of their operands alone.
  const auto choose_from = [&]<typename Proposal>(auto propose, auto bytes, Proposal, auto a, auto b,
                                                  auto result) {
    choose<Proposal>(
        p, limit,
        [&](int most, int* count, Proposal* proposals) {
          return propose(handle_, a, b, p.convolution, result, most, count, proposals);
        },
        [&](auto algorithm, std::size_t* wanted) {
          return bytes(handle_, a, b, p.convolution, result, algorithm, wanted);
        });
  };
  switch (pass) {
    case ConvPass::forward:
      choose_from(cudnn_.cudnnGetConvolutionForwardAlgorithm_v7,
                  cudnn_.cudnnGetConvolutionForwardWorkspaceSize, cudnnConvolutionFwdAlgoPerf_t{}, p.x, p.w,
                  p.y);
      break;
    case ConvPass::dgrad:
      choose_from(cudnn_.cudnnGetConvolutionBackwardDataAlgorithm_v7,
                  cudnn_.cudnnGetConvolutionBackwardDataWorkspaceSize, cudnnConvolutionBwdDataAlgoPerf_t{},
                  p.w, p.y, p.x);
      break;
    case ConvPass::wgrad:
      choose_from(cudnn_.cudnnGetConvolutionBackwardFilterAlgorithm_v7,
                  cudnn_.cudnnGetConvolutionBackwardFilterWorkspaceSize,
                  cudnnConvolutionBwdFilterAlgoPerf_t{}, p.x, p.y, p.w);
      break;
  }
  return made;
}

const Convolution::Plan& Convolution::plan(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                                           std::size_t limit) {
  std::unique_ptr<Plan>& known = plans_[key_of(pass, conv, x, w)];
  if (known == nullptr) known = make_plan(pass, conv, x, w, limit);
  return *known;
}

bool Convolution::run(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w, const float* first,
                      const float* second, float* result, bool accumulate, void* workspace,
                      std::size_t workspace_bytes) {
  const Plan& p = plan(pass, conv, x, w, workspace_bytes);
  if (!p.algorithm) return false;
  const float one = 1, keep = accumulate ? 1 : 0;
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  switch (pass) {
    case ConvPass::forward:
      status = cudnn_.cudnnConvolutionForward(handle_, &one, p.x, first, p.w, second, p.convolution,
                                              static_cast<cudnnConvolutionFwdAlgo_t>(*p.algorithm), workspace,
                                              workspace_bytes, &keep, p.y, result);
      break;
    case ConvPass::dgrad:
      status = cudnn_.cudnnConvolutionBackwardData(handle_, &one, p.w, second, p.y, first, p.convolution,
                                                   static_cast<cudnnConvolutionBwdDataAlgo_t>(*p.algorithm),
                                                   workspace, workspace_bytes, &keep, p.x, result);
      break;
    case ConvPass::wgrad:
      status =
          cudnn_.cudnnConvolutionBackwardFilter(handle_, &one, p.x, first, p.y, second, p.convolution,
                                                static_cast<cudnnConvolutionBwdFilterAlgo_t>(*p.algorithm),
                                                workspace, workspace_bytes, &keep, p.w, result);
      break;
  }
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) return false;
  cudnn_.check(status, "convolution");
  return true;
}

}  // namespace adwp::cuda::vendor
