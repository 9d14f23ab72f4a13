// The class behind open_cpu; its methods are spread over the files of this folder by kind.
#pragma once

#include <memory>

#include "cpu/cpu_backend.h"
#include "cpu/threads.h"

namespace adwp::cpu {

class ConvolutionCache;
class FoldedCache;

class CpuBackend : public Backend {
 public:
  CpuBackend(int threads, Products products);
  ~CpuBackend() override;

  std::string name() const override { return "cpu"; }
  std::string description() const override;
  std::string identity() const override;
  void synchronize() override {}
  bool fuses(const ConvBatchNormForward& op) const override;
  bool fuses(const ConvBatchNormBackward& op) const override;
  bool fuses(const ConvChain& op) const override;

 private:
  void* do_allocate(std::size_t bytes) override;
  void do_release(void* pointer) noexcept override;
  void do_write(void* device, const void* host, std::size_t bytes) override;
  void do_read(void* host, const void* device, std::size_t bytes) override;
  void do_copy(void* to, const void* from, std::size_t bytes) override;
  void do_fill(void* device, std::uint8_t value, std::size_t bytes) override;

  std::size_t workspace(const Gemm&) override { return 0; }
  std::size_t workspace(const ConvForward& op) override;
  std::size_t workspace(const ConvDgrad& op) override;
  std::size_t workspace(const ConvWgrad& op) override;
  std::size_t workspace(const ConvBatchNormForward& op) override;
  std::size_t workspace(const ConvBatchNormBackward& op) override;
  std::size_t workspace(const ConvChain& op) override;
  std::size_t reduction_workspace(std::int64_t rows, std::int64_t channels) override;

#define ADWP_COMPUTE(Op) void compute(const Op& op, void* workspace) override;
  ADWP_OPERATORS(ADWP_COMPUTE)
#undef ADWP_COMPUTE
  void compute(const ConvBatchNormForward& op, void* workspace) override;
  void compute(const ConvBatchNormBackward& op, void* workspace) override;
  void compute(const ConvChain& op, void* workspace) override;

  ThreadGovernor threads_;
  Products products_;
  std::unique_ptr<ConvolutionCache> convolutions_;
  std::unique_ptr<FoldedCache> chains_;
};

}  // namespace adwp::cpu
