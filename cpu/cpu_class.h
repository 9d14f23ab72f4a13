// The class behind open_cpu; its methods are spread over the files of this folder by kind.
#pragma once

#include <memory>

#include "cpu/cpu_backend.h"

namespace adwp::cpu {

class ConvolutionCache;

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(int threads);
  ~CpuBackend() override;

  std::string name() const override { return "cpu"; }
  std::string description() const override;
  void synchronize() override {}

 private:
#include "framework/backend/overrides.inc"

  std::unique_ptr<ConvolutionCache> convolutions_;
};

}  // namespace adwp::cpu
