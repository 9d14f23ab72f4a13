// Stands in for libcudnn.so.9 on the executor of PTX: the functions of cuda/vendor/functions.h, as cuDNN's
// documentation has them, in plain loops. Among the algorithms proposed, those come first that must not be
// taken: one that is not deterministic, one whose workspace is too large.
#include <cudnn.h>

#include <cstdio>
#include <cstdlib>

#include "tests/cuda/ptx/runtime.h"

namespace {

struct Tensor {
  int n = 0, c = 0, h = 0, w = 0;
  cudnnTensorFormat_t format{};
};
struct Conv {
  int padding_h = 0, padding_w = 0, stride_h = 1, stride_w = 1, groups = 1;
  cudnnMathType_t math{};
};

template <typename T, typename Descriptor>
T& of(Descriptor descriptor) {
  return *reinterpret_cast<T*>(descriptor);
}
template <typename T, typename Descriptor>
cudnnStatus_t create(Descriptor* descriptor) {
  *descriptor = reinterpret_cast<Descriptor>(new T);
  return CUDNN_STATUS_SUCCESS;
}
template <typename T, typename Descriptor>
cudnnStatus_t destroy(Descriptor descriptor) {
  delete &of<T>(descriptor);
  return CUDNN_STATUS_SUCCESS;
}

bool fits(const Tensor& x, const Tensor& w, const Conv& c, const Tensor& y) {
  return x.format == CUDNN_TENSOR_NHWC && y.format == CUDNN_TENSOR_NHWC && w.format == CUDNN_TENSOR_NHWC &&
         x.c / c.groups == w.c && w.n == y.c && x.n == y.n &&
         (x.h + 2 * c.padding_h - w.h) / c.stride_h + 1 == y.h &&
         (x.w + 2 * c.padding_w - w.w) / c.stride_w + 1 == y.w;
}

// visit(index into x, into w, into y) for every product of one element of y.
template <typename Visit>
void visit_products(const Tensor& x, const Tensor& w, const Conv& c, const Tensor& y, long at,
                    Visit&& visit) {
  const int k = static_cast<int>(at % y.c), q = static_cast<int>(at / y.c % y.w);
  const int p = static_cast<int>(at / y.c / y.w % y.h);
  const long n = at / y.c / y.w / y.h, first_channel = static_cast<long>(k / (y.c / c.groups)) * w.c;
  for (int r = 0; r < w.h; ++r) {
    for (int s = 0; s < w.w; ++s) {
      const int i = p * c.stride_h + r - c.padding_h, j = q * c.stride_w + s - c.padding_w;
      if (i < 0 || i >= x.h || j < 0 || j >= x.w) continue;
      const long in_x = ((n * x.h + i) * x.w + j) * x.c + first_channel;
      const long in_w = ((static_cast<long>(k) * w.h + r) * w.w + s) * w.c;
      for (int d = 0; d < w.c; ++d) visit(in_x + d, in_w + d, at);
    }
  }
}

long elements(const Tensor& t) { return static_cast<long>(t.n) * t.c * t.h * t.w; }

constexpr int not_deterministic = 0, too_large = 1, right = 2;

template <typename Proposal>
cudnnStatus_t propose(int most, int* count, Proposal* proposals, const Conv& conv) {
  if (most < 3) return CUDNN_STATUS_BAD_PARAM;
  for (const int algorithm : {not_deterministic, too_large, right}) {
    Proposal& p = proposals[algorithm] = {};
    p.algo = static_cast<decltype(p.algo)>(algorithm);
    p.status = CUDNN_STATUS_SUCCESS;
    p.determinism = algorithm == not_deterministic ? CUDNN_NON_DETERMINISTIC : CUDNN_DETERMINISTIC;
    p.mathType = conv.math;
  }
  *count = 3;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t workspace_of(int algorithm, size_t* bytes) {
  *bytes = algorithm == too_large ? size_t{1} << 40 : 1024;
  return CUDNN_STATUS_SUCCESS;
}

struct Handle {
  cudaStream_t stream = nullptr;
};

// result = beta result + alpha times what `visit` adds to it, in the stream's order.
template <typename Visit>
cudnnStatus_t compute(cudnnHandle_t handle, const void* alpha, const void* beta, const Tensor& x,
                      const Tensor& w, const Conv& c, const Tensor& y, int algorithm, size_t bytes,
                      float* result, long size, Visit visit) {
  if (algorithm != right || bytes < 1024 || !fits(x, w, c, y)) return CUDNN_STATUS_BAD_PARAM;
  const float factor = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  adwp::executor::enqueue(of<Handle>(handle).stream, [=] {
    for (long i = 0; i < size; ++i) result[i] = keep == 0 ? 0.0f : keep * result[i];
    for (long at = 0; at < elements(y); ++at) {
      visit_products(x, w, c, y, at, [&](long i, long j, long k) { visit(factor, i, j, k); });
    }
  });
  return CUDNN_STATUS_SUCCESS;
}

const float* floats(const void* pointer) { return static_cast<const float*>(pointer); }

}  // namespace

extern "C" {

size_t cudnnGetVersion() { return 91900; }
const char* cudnnGetErrorString(cudnnStatus_t) { return "a status of the stand-in for cuDNN"; }
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) { return create<Handle>(handle); }
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) { return destroy<Handle>(handle); }
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  of<Handle>(handle).stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* d) { return create<Tensor>(d); }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t d) { return destroy<Tensor>(d); }
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t d, cudnnTensorFormat_t format,
                                         cudnnDataType_t, int n, int c, int h, int w) {
  of<Tensor>(d) = {n, c, h, w, format};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* d) { return create<Tensor>(d); }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t d) { return destroy<Tensor>(d); }
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t d, cudnnDataType_t,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  of<Tensor>(d) = {k, c, h, w, format};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* d) { return create<Conv>(d); }
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t d) { return destroy<Conv>(d); }
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t d, int padding_h, int padding_w,
                                              int stride_h, int stride_w, int, int,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t) {
  if (mode != CUDNN_CROSS_CORRELATION) return CUDNN_STATUS_BAD_PARAM;
  of<Conv>(d) = {padding_h, padding_w, stride_h, stride_w};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t d, int groups) {
  of<Conv>(d).groups = groups;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t d, cudnnMathType_t math) {
  of<Conv>(d).math = math;
  return CUDNN_STATUS_SUCCESS;
}

#define PASS(name, Proposal, Algorithm, A, B, Result)                                                      \
  cudnnStatus_t cudnnGetConvolution##name##Algorithm_v7(                                                   \
      cudnnHandle_t, const A, const B, const cudnnConvolutionDescriptor_t conv, const Result,              \
      const int most, int* count, Proposal* proposals) {                                                   \
    return propose(most, count, proposals, of<Conv>(conv));                                                \
  }                                                                                                        \
  cudnnStatus_t cudnnGetConvolution##name##WorkspaceSize(cudnnHandle_t, const A, const B,                  \
                                                         const cudnnConvolutionDescriptor_t, const Result, \
                                                         Algorithm algorithm, size_t* bytes) {             \
    return workspace_of(algorithm, bytes);                                                                 \
  }
PASS(Forward, cudnnConvolutionFwdAlgoPerf_t, cudnnConvolutionFwdAlgo_t, cudnnTensorDescriptor_t,
     cudnnFilterDescriptor_t, cudnnTensorDescriptor_t)
PASS(BackwardData, cudnnConvolutionBwdDataAlgoPerf_t, cudnnConvolutionBwdDataAlgo_t, cudnnFilterDescriptor_t,
     cudnnTensorDescriptor_t, cudnnTensorDescriptor_t)
PASS(BackwardFilter, cudnnConvolutionBwdFilterAlgoPerf_t, cudnnConvolutionBwdFilterAlgo_t,
     cudnnTensorDescriptor_t, cudnnTensorDescriptor_t, cudnnFilterDescriptor_t)
#undef PASS

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      const cudnnTensorDescriptor_t of_x, const void* x,
                                      const cudnnFilterDescriptor_t of_w, const void* w,
                                      const cudnnConvolutionDescriptor_t conv,
                                      cudnnConvolutionFwdAlgo_t algorithm, void*, size_t bytes,
                                      const void* beta, const cudnnTensorDescriptor_t of_y, void* y) {
  auto* to = static_cast<float*>(y);
  const Tensor& shape = of<Tensor>(of_y);
  return compute(handle, alpha, beta, of<Tensor>(of_x), of<Tensor>(of_w), of<Conv>(conv), shape, algorithm,
                 bytes, to, elements(shape),
                 [=](float f, long i, long j, long k) { to[k] += f * floats(x)[i] * floats(w)[j]; });
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           const cudnnFilterDescriptor_t of_w, const void* w,
                                           const cudnnTensorDescriptor_t of_dy, const void* dy,
                                           const cudnnConvolutionDescriptor_t conv,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void*, size_t bytes,
                                           const void* beta, const cudnnTensorDescriptor_t of_dx, void* dx) {
  auto* to = static_cast<float*>(dx);
  const Tensor& shape = of<Tensor>(of_dx);
  return compute(handle, alpha, beta, shape, of<Tensor>(of_w), of<Conv>(conv), of<Tensor>(of_dy), algorithm,
                 bytes, to, elements(shape),
                 [=](float f, long i, long j, long k) { to[i] += f * floats(dy)[k] * floats(w)[j]; });
}
cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             const cudnnTensorDescriptor_t of_x, const void* x,
                                             const cudnnTensorDescriptor_t of_dy, const void* dy,
                                             const cudnnConvolutionDescriptor_t conv,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void*, size_t bytes,
                                             const void* beta, const cudnnFilterDescriptor_t of_dw,
                                             void* dw) {
  auto* to = static_cast<float*>(dw);
  const Tensor& shape = of<Tensor>(of_dw);
  return compute(handle, alpha, beta, of<Tensor>(of_x), shape, of<Conv>(conv), of<Tensor>(of_dy), algorithm,
                 bytes, to, elements(shape),
                 [=](float f, long i, long j, long k) { to[j] += f * floats(x)[i] * floats(dy)[k]; });
}

}  // extern "C"
