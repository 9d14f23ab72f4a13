// cuDNN and cuBLAS, loaded when they are asked for: a program starts and runs on machines without them.
#pragma once

#include <string>
#include <vector>

namespace adwp::cuda::vendor {

class Library {
 public:
  // Loads the first of `names` that there is, until the process ends: these libraries cannot safely be
  // unloaded. Throws Error, naming them all, when there is none.
  explicit Library(const std::vector<std::string>& names);

  // A function of the library; throws Error when it has none of that name.
  template <typename Function>
  Function find(const char* name) const {
    return reinterpret_cast<Function>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;

  std::string name_;
  void* handle_ = nullptr;
};

// Loads both; "cuDNN 9.19.0 and cuBLAS 13.1.0".
std::string library_versions();

}  // namespace adwp::cuda::vendor
