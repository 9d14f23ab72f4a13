// The class behind cuda::open and emulated::open. Each operator's compute() ends the file that holds its
// kernels (cuda/kernels/*.cu); memory and the device are gpu_backend.cpp's. What a .cu file includes keeps
// clear of fmt.
#pragma once

#include "cuda/cuda_backend.h"
#include "cuda/runtime/device.h"

#if defined(__CUDACC__) && defined(FMT_VERSION)
#error "a header that kernels include has brought fmt, over which nvcc takes long"
#endif

namespace adwp::ADWP_GPU {

// From operands to what kernels take.
inline float* floats(const Tensor& tensor) { return tensor.data<float>(); }
inline float* floats(const Target& target) { return target.tensor.data<float>(); }
inline const std::int32_t* integers(const Tensor& tensor) { return tensor.data<std::int32_t>(); }
inline float* scratch(void* workspace) { return static_cast<float*>(workspace); }
inline std::size_t bytes_of(std::int64_t count) { return count * sizeof(float); }  // floats

class GpuBackend : public Backend {
 public:
  explicit GpuBackend(const GpuOptions& options = {});
  ~GpuBackend() override;

  std::string name() const override;
  std::string description() const override;
  void synchronize() override { device_.synchronize(); }
  double seconds(const std::function<void()>& work) override { return device_.seconds(work); }
  std::unique_ptr<Graph> capture(const std::function<void()>& work) override { return device_.capture(work); }

  // bf16 where the kernels here multiply in it; the other engines and steps of the ladder have f32 alone.
  DType storage() const override;
  bool fuses(const ConvForward& op) const override;
  bool fuses(const ConvWgrad& op) const override;
  bool fuses(const ConvBatchNormForward& op) const override;
  bool batch_invariant() const override { return true; }

  using Backend::compute;

 protected:
  std::size_t workspace(const Gemm& op) override;
  std::size_t workspace(const ConvForward& op) override;
  std::size_t workspace(const ConvDgrad& op) override;
  std::size_t workspace(const ConvWgrad& op) override;
  std::size_t workspace(const ConvBatchNormForward& op) override;
  std::size_t reduction_workspace(std::int64_t rows, std::int64_t channels) override;

#define ADWP_COMPUTE(Op) void compute(const Op& op, void* workspace) override;
  ADWP_OPERATORS(ADWP_COMPUTE)
#undef ADWP_COMPUTE
  void compute(const ConvBatchNormForward& op, void* workspace) override;

  const GpuOptions options_;
  Device device_;
  // Of blocks that put together what others have left (cuda/kernels/last_block.cuh): zero between launches.
  static constexpr std::int64_t most_tickets = 1 << 16;
  unsigned* tickets_ = nullptr;

 private:
  void dgrad(const ConvDgrad& op, void* workspace, bool sums_on_the_way);

  void* do_allocate(std::size_t bytes) override { return device_.allocate(bytes); }
  void do_release(void* pointer) noexcept override { device_.release(pointer); }
  void do_write(void* device, const void* host, std::size_t bytes) override {
    device_.write(device, host, bytes);
  }
  void do_read(void* host, const void* device, std::size_t bytes) override {
    device_.read(host, device, bytes);
  }
  void do_copy(void* to, const void* from, std::size_t bytes) override { device_.copy(to, from, bytes); }
  void do_fill(void* device, std::uint8_t value, std::size_t bytes) override {
    device_.fill(device, value, bytes);
  }

  void* stream() const override { return device_.stream(); }
};

}  // namespace adwp::ADWP_GPU
