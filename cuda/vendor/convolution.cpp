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

Convolution::Convolution(void* stream, Precision precision, std::size_t workspace_bytes)
    : precision_(precision), workspace_bytes_(workspace_bytes) {
  cudnn_.check(cudnn_.cudnnCreate(&handle_), "opening");
  cudnn_.check(cudnn_.cudnnSetStream(handle_, static_cast<cudaStream_t>(stream)), "setting the stream");
}

Convolution::~Convolution() {
  plans_.clear();
  cudnn_.cudnnDestroy(handle_);
}

// --- plans ---------------------------------------------------------------------------------------------

template <typename Choose>
const Convolution::Plan& Convolution::plan(const ProductKey& key, const Conv2d& conv, const Shape& x,
                                           const Shape& w, const Choose& choose) {
  std::unique_ptr<Plan>& known = plans_[key];
  if (known == nullptr) {
    auto made = std::make_unique<Plan>(cudnn_);
    if (describe(*made, conv, x, w)) choose(*made);
    known = std::move(made);
  }
  return *known;
}

bool Convolution::describe(const Plan& p, const Conv2d& conv, const Shape& x, const Shape& w) {
  const Shape y = conv2d_output(conv, x, w);
  if (precision_ == Precision::bf16 || !fits_int(x) || !fits_int(w) || !fits_int(y)) return false;
  const auto set_tensor = [&](cudnnTensorDescriptor_t descriptor, const Shape& s) {
    cudnn_.check(cudnn_.cudnnSetTensor4dDescriptor(descriptor, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, s[0],
                                                   s[3], s[1], s[2]),
                 "a tensor's descriptor");
  };
  set_tensor(p.x, x);
  set_tensor(p.y, y);
  cudnn_.check(
      cudnn_.cudnnSetFilter4dDescriptor(p.w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, w[0], w[3], w[1], w[2]),
      "a kernel's descriptor");
  cudnn_.check(
      cudnn_.cudnnSetConvolution2dDescriptor(p.convolution, conv.padding, conv.padding, conv.stride,
                                             conv.stride, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
      "a convolution's descriptor");
  cudnn_.check(cudnn_.cudnnSetConvolutionGroupCount(p.convolution, conv.depthwise ? x[3] : 1),
               "setting groups");
  // What is proposed depends on it.
  const cudnnMathType_t math = precision_ == Precision::f32 ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH;
  cudnn_.check(cudnn_.cudnnSetConvolutionMathType(p.convolution, math), "setting the arithmetic");
  return true;
}

// Takes the first proposal that will do. A proposal is an algorithm with a way to multiply; in f32 only one
// way is allowed, whatever cuDNN proposes. The passes differ only in cuDNN's functions and in the order of
// the descriptors.
template <typename Proposal, typename Propose, typename Bytes, typename A, typename B, typename Result>
void Convolution::choose(Plan& plan, Propose propose, Bytes bytes, A a, B b, Result result) {
  std::array<Proposal, 16> proposals{};
  int count = 0;
  if (propose(handle_, a, b, plan.convolution, result, proposals.size(), &count, proposals.data()) !=
      CUDNN_STATUS_SUCCESS) {
    return;
  }
  for (int i = 0; i < count; ++i) {
    const Proposal& p = proposals[i];
    if (p.status != CUDNN_STATUS_SUCCESS || p.determinism != CUDNN_DETERMINISTIC) continue;
    const cudnnMathType_t math = precision_ == Precision::f32 ? CUDNN_FMA_MATH : p.mathType;
    if (math == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION) continue;  // which may round to 16 bits
    cudnn_.check(cudnn_.cudnnSetConvolutionMathType(plan.convolution, math), "setting the arithmetic");
    std::size_t wanted = 0;
    if (bytes(handle_, a, b, plan.convolution, result, p.algo, &wanted) != CUDNN_STATUS_SUCCESS) continue;
    if (wanted > workspace_bytes_) continue;
    plan.algorithm = p.algo;
    return;
  }
}

// --- passes --------------------------------------------------------------------------------------------

bool Convolution::done(cudnnStatus_t status) const {
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) return false;
  cudnn_.check(status, "convolution");
  return true;
}

bool Convolution::compute(const ConvForward& op, void* workspace) {
  const Plan& p = plan(key_of(op), op.conv, op.x.shape(), op.w.shape(), [&](Plan& made) {
    choose<cudnnConvolutionFwdAlgoPerf_t>(made, cudnn_.cudnnGetConvolutionForwardAlgorithm_v7,
                                          cudnn_.cudnnGetConvolutionForwardWorkspaceSize, made.x, made.w,
                                          made.y);
  });
  const float one = 1, keep = 0;
  return p.algorithm && done(cudnn_.cudnnConvolutionForward(
                            handle_, &one, p.x, floats(op.x), p.w, floats(op.w), p.convolution,
                            static_cast<cudnnConvolutionFwdAlgo_t>(*p.algorithm), workspace, workspace_bytes_,
                            &keep, p.y, floats(op.y)));
}

bool Convolution::compute(const ConvDgrad& op, void* workspace) {
  const Plan& p = plan(key_of(op), op.conv, op.dx.tensor.shape(), op.w.shape(), [&](Plan& made) {
    choose<cudnnConvolutionBwdDataAlgoPerf_t>(made, cudnn_.cudnnGetConvolutionBackwardDataAlgorithm_v7,
                                              cudnn_.cudnnGetConvolutionBackwardDataWorkspaceSize, made.w,
                                              made.y, made.x);
  });
  const float one = 1, keep = op.dx.adds() ? 1 : 0;
  return p.algorithm && done(cudnn_.cudnnConvolutionBackwardData(
                            handle_, &one, p.w, floats(op.w), p.y, floats(op.dy), p.convolution,
                            static_cast<cudnnConvolutionBwdDataAlgo_t>(*p.algorithm), workspace,
                            workspace_bytes_, &keep, p.x, floats(op.dx)));
}

bool Convolution::compute(const ConvWgrad& op, void* workspace) {
  const Plan& p = plan(key_of(op), op.conv, op.x.shape(), op.dw.tensor.shape(), [&](Plan& made) {
    choose<cudnnConvolutionBwdFilterAlgoPerf_t>(made, cudnn_.cudnnGetConvolutionBackwardFilterAlgorithm_v7,
                                                cudnn_.cudnnGetConvolutionBackwardFilterWorkspaceSize, made.x,
                                                made.y, made.w);
  });
  const float one = 1, keep = op.dw.adds() ? 1 : 0;
  return p.algorithm && done(cudnn_.cudnnConvolutionBackwardFilter(
                            handle_, &one, p.x, floats(op.x), p.y, floats(op.dy), p.convolution,
                            static_cast<cudnnConvolutionBwdFilterAlgo_t>(*p.algorithm), workspace,
                            workspace_bytes_, &keep, p.w, floats(op.dw)));
}

}  // namespace adwp::cuda::vendor
