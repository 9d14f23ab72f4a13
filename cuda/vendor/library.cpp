#include "cuda/vendor/library.h"

#include <dlfcn.h>
#include <fmt/ranges.h>

#include "cuda/vendor/functions.h"
#include "framework/core/error.h"

namespace adwp::cuda::vendor {

Library::Library(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      name_ = name;
      return;
    }
  }
  fail("vendor",
       "cannot load {}, got '{}'; install the library, name its folder in LD_LIBRARY_PATH, or use --engine "
       "hand, which needs none",
       fmt::join(names, " or "), dlerror());
}

void* Library::symbol(const char* name) const {
  void* function = dlsym(handle_, name);
  require(function != nullptr, "vendor", "{} has no {}; use another version of it, or --engine hand", name_,
          name);
  return function;
}

void Cudnn::check(cudnnStatus_t status, const char* what) const {
  require(status == CUDNN_STATUS_SUCCESS, "vendor", "cuDNN, {}: {}", what, cudnnGetErrorString(status));
}

void Cublas::check(cublasStatus_t status, const char* what) const {
  require(status == CUBLAS_STATUS_SUCCESS, "vendor", "cuBLAS, {}: {}", what, cublasGetStatusString(status));
}

std::string library_versions() {
  const Cudnn cudnn;
  const Cublas cublas;
  const std::size_t version =
      cudnn.cudnnGetVersion();  // since 9.0: major, two digits minor, two digits patch
  int major = 0, minor = 0, patch = 0;
  cublas.cublasGetProperty(MAJOR_VERSION, &major);
  cublas.cublasGetProperty(MINOR_VERSION, &minor);
  cublas.cublasGetProperty(PATCH_LEVEL, &patch);
  return fmt::format("cuDNN {}.{}.{} and cuBLAS {}.{}.{}", version / 10000, version / 100 % 100,
                     version % 100, major, minor, patch);
}

}  // namespace adwp::cuda::vendor
