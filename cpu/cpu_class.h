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
  // Every private virtual of Memory and Backend.
  void* do_allocate(std::size_t bytes) override;
  void do_release(void* pointer) noexcept override;
  void do_write(void* device, const void* host, std::size_t bytes) override;
  void do_read(void* host, const void* device, std::size_t bytes) override;
  void do_copy(void* to, const void* from, std::size_t bytes) override;
  void do_fill(void* device, std::uint8_t value, std::size_t bytes) override;

  std::size_t conv2d_workspace(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                               GradMode mode) override;
  std::size_t gemm_workspace(const Gemm&, std::int64_t, std::int64_t, std::int64_t) override;
  std::size_t reduction_workspace(std::int64_t rows, std::int64_t channels) override;

#define ADWP_OVERRIDE(name, ...) void do_##name(__VA_ARGS__) override
  ADWP_OVERRIDE(gemm, const Gemm&, const Tensor&, const Tensor&, const Tensor&, Activation,
                const Tensor&, GradMode, void*);
  ADWP_OVERRIDE(column_sum, const Tensor&, const Tensor&, GradMode, void*);
  ADWP_OVERRIDE(conv2d_forward, const Conv2d&, const Tensor&, const Tensor&, const Tensor&, void*);
  ADWP_OVERRIDE(conv2d_dgrad, const Conv2d&, const Tensor&, const Tensor&, const Tensor&, GradMode,
                void*);
  ADWP_OVERRIDE(conv2d_wgrad, const Conv2d&, const Tensor&, const Tensor&, const Tensor&, GradMode,
                void*);
  ADWP_OVERRIDE(batch_norm_forward, const Tensor&, const Tensor&, const Tensor&, float, Activation,
                const Tensor&, const Tensor&, const Tensor&, void*);
  ADWP_OVERRIDE(batch_norm_backward, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                const Tensor&, const Tensor&, float, Activation, const Tensor&, GradMode,
                const Tensor&, GradMode, const Tensor&, GradMode, void*);
  ADWP_OVERRIDE(batch_norm_inference, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                const Tensor&, float, Activation, const Tensor&);
  ADWP_OVERRIDE(layer_norm_forward, const Tensor&, float, Activation, const Tensor&, const Tensor&,
                const Tensor&);
  ADWP_OVERRIDE(layer_norm_backward, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                Activation, const Tensor&, GradMode);
  ADWP_OVERRIDE(activation_forward, Activation, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(activation_backward, Activation, const Tensor&, const Tensor&, const Tensor&,
                GradMode);
  ADWP_OVERRIDE(add, const Tensor&, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(copy_gradient, const Tensor&, const Tensor&, GradMode);
  ADWP_OVERRIDE(channel_scale_forward, const Tensor&, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(channel_scale_backward, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                GradMode, const Tensor&, GradMode, void*);
  ADWP_OVERRIDE(concat_forward, const Tensor&, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(concat_backward, const Tensor&, std::int64_t, const Tensor&, GradMode);
  ADWP_OVERRIDE(max_pool_forward, const Pool2d&, const Tensor&, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(max_pool_backward, const Pool2d&, const Tensor&, const Tensor&, const Tensor&,
                GradMode);
  ADWP_OVERRIDE(average_pool_forward, const Pool2d&, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(average_pool_backward, const Pool2d&, const Tensor&, const Tensor&, GradMode);
  ADWP_OVERRIDE(global_pool_forward, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(global_pool_backward, const Tensor&, const Tensor&, GradMode);
  ADWP_OVERRIDE(cross_entropy_forward, const Tensor&, const Tensor&, float, const Tensor&, void*);
  ADWP_OVERRIDE(cross_entropy_backward, const Tensor&, const Tensor&, const Tensor&, float,
                const Tensor&, GradMode);
  ADWP_OVERRIDE(count_hits, const Tensor&, const Tensor&, const Tensor&, void*);
  ADWP_OVERRIDE(embedding_sum, const Tensor*, int, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(embedding_backward, const Tensor&, const Tensor&, int, const Tensor&, GradMode);
  ADWP_OVERRIDE(assemble, const Tensor&, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(assemble_backward, const Tensor&, const Tensor&, const Tensor&);
  ADWP_OVERRIDE(sum_of_squares, const Tensor&, const Tensor&, void*);
  ADWP_OVERRIDE(sgd_step, const SgdStep&, const Tensor&, const Tensor&, const Tensor&,
                const Tensor&);
  ADWP_OVERRIDE(adamw_step, const AdamWStep&, const Tensor&, const Tensor&, const Tensor&,
                const Tensor&, const Tensor&);
  ADWP_OVERRIDE(lerp, const Tensor&, float, const Tensor&);
  ADWP_OVERRIDE(load_batch, const Tensor&, const Tensor&, const Tensor&, const PixelNorm&,
                const Augmentation&, const AugmentKey&, const Tensor&, const Tensor&);
#undef ADWP_OVERRIDE

  std::unique_ptr<ConvolutionCache> convolutions_;
};

}  // namespace adwp::cpu
