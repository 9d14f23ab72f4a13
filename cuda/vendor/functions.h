// The functions of cuDNN and cuBLAS that are used, as members of the same name. Their types are those of the
// headers that this was compiled with.
#pragma once

#include <cublas_v2.h>
#include <cudnn.h>

#include "cuda/vendor/library.h"

namespace adwp::cuda::vendor {

#define ADWP_CUDNN_FUNCTIONS(USE)                     \
  USE(cudnnGetVersion)                                \
  USE(cudnnGetErrorString)                            \
  USE(cudnnCreate)                                    \
  USE(cudnnDestroy)                                   \
  USE(cudnnSetStream)                                 \
  USE(cudnnCreateTensorDescriptor)                    \
  USE(cudnnDestroyTensorDescriptor)                   \
  USE(cudnnSetTensor4dDescriptor)                     \
  USE(cudnnCreateFilterDescriptor)                    \
  USE(cudnnDestroyFilterDescriptor)                   \
  USE(cudnnSetFilter4dDescriptor)                     \
  USE(cudnnCreateConvolutionDescriptor)               \
  USE(cudnnDestroyConvolutionDescriptor)              \
  USE(cudnnSetConvolution2dDescriptor)                \
  USE(cudnnSetConvolutionGroupCount)                  \
  USE(cudnnSetConvolutionMathType)                    \
  USE(cudnnGetConvolutionForwardAlgorithm_v7)         \
  USE(cudnnGetConvolutionBackwardDataAlgorithm_v7)    \
  USE(cudnnGetConvolutionBackwardFilterAlgorithm_v7)  \
  USE(cudnnGetConvolutionForwardWorkspaceSize)        \
  USE(cudnnGetConvolutionBackwardDataWorkspaceSize)   \
  USE(cudnnGetConvolutionBackwardFilterWorkspaceSize) \
  USE(cudnnConvolutionForward)                        \
  USE(cudnnConvolutionBackwardData)                   \
  USE(cudnnConvolutionBackwardFilter)

// By the names in the library: the header makes macros of the plain ones.
#define ADWP_CUBLAS_FUNCTIONS(USE) \
  USE(cublasGetProperty)           \
  USE(cublasGetStatusString)       \
  USE(cublasCreate_v2)             \
  USE(cublasDestroy_v2)            \
  USE(cublasSetStream_v2)          \
  USE(cublasSetWorkspace_v2)       \
  USE(cublasGemmEx_64)

#define ADWP_DECLARE(name) decltype(&::name) name = library.find<decltype(&::name)>(#name);
struct Cudnn {
  Library library{{"libcudnn.so.9"}};
  ADWP_CUDNN_FUNCTIONS(ADWP_DECLARE)

  // Throws Error for anything but success; `what` names the call.
  void check(cudnnStatus_t status, const char* what) const;
};

struct Cublas {
  Library library{{"libcublas.so.13", "libcublas.so.12"}};
  ADWP_CUBLAS_FUNCTIONS(ADWP_DECLARE)

  void check(cublasStatus_t status, const char* what) const;
};
#undef ADWP_DECLARE

}  // namespace adwp::cuda::vendor
