// The layers of a network.
#include "cuda/kernels/batch_norm.h"
#include "cuda/kernels/convolution.h"
#include "cuda/kernels/depthwise.h"
#include "cuda/kernels/elementwise.h"
#include "cuda/kernels/gemm.h"
#include "cuda/kernels/pooling.h"
#include "cuda/kernels/reduce.h"
#include "cuda/runtime/arguments.h"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

int narrow(std::int64_t value) { return static_cast<int>(value); }

kernels::ConvShape dense_shape(const Conv2d& conv, const Shape& x, const Shape& w) {
  return {x[0],
          narrow(x[1]),
          narrow(x[2]),
          narrow(x[3]),
          narrow(conv.out_size(x[1])),
          narrow(conv.out_size(x[2])),
          narrow(w[0]),
          narrow(conv.kernel),
          narrow(conv.stride),
          narrow(conv.padding)};
}

kernels::DepthwiseShape depthwise_shape(const Conv2d& conv, const Shape& x) {
  return {x[0],
          narrow(x[1]),
          narrow(x[2]),
          narrow(x[3]),
          narrow(conv.out_size(x[1])),
          narrow(conv.out_size(x[2])),
          narrow(conv.kernel),
          narrow(conv.stride),
          narrow(conv.padding)};
}

kernels::PoolShape pool_shape(const Pool2d& pool, const Shape& x) {
  return {x[0],
          x[1],
          x[2],
          x[3],
          pool.out_size(x[1]),
          pool.out_size(x[2]),
          narrow(pool.kernel),
          narrow(pool.stride),
          narrow(pool.padding)};
}

kernels::NormShape norm_shape(const Tensor& x, float epsilon, Activation act) {
  return {x.shape().rows(), x.shape().back(), epsilon, act};
}

}  // namespace

// --- matrix products -------------------------------------------------------------------------------------

std::size_t GpuBackend::gemm_workspace(const Gemm&, const Shape& c, std::int64_t k, GradMode mode) {
  return engine_.workspace(bytes_of(product_scratch(c[1], c[2], k, c[0])), bytes_of(c.elements()), mode);
}

void GpuBackend::do_gemm(const Gemm& spec, const Tensor& a, const Tensor& b, const Tensor& bias,
                         Activation act, const Tensor& c, GradMode mode, void* workspace) {
  const kernels::GemmShape shape{.m = c.shape()[1],
                                 .n = c.shape()[2],
                                 .k = a.shape()[spec.transpose_a ? 1 : 2],
                                 .transpose_a = spec.transpose_a,
                                 .transpose_b = spec.transpose_b,
                                 .batch = c.shape()[0],
                                 .bias_each = bias.defined() && bias.shape().rank() == 2};
  const float* row = bias.defined() ? in(bias) : nullptr;
  const auto [target, rest] = engine_.take_apart(workspace, c, mode);
  engine_.run(
      key_of(shape, bias.defined(), act), target,
      [&, rest = rest](float* result) {
        kernels::gemm(stream(), choice_, shape, in(a), in(b), row, act, result, adds(mode), scratch(rest));
      },
      [&, rest = rest](VendorProducts& vendor, float* result) {
        return vendor.gemm(shape, in(a), in(b), row, act, result, adds(mode), rest);
      });
}

void GpuBackend::do_column_sum(const Tensor& x, const Tensor& sum, GradMode mode, void* workspace) {
  kernels::column_sum(stream(), in(x), out(sum), adds(mode), scratch(workspace), x.shape()[0], x.shape()[1]);
}

// --- convolution -----------------------------------------------------------------------------------------

namespace {

std::size_t hand_workspace(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w) {
  if (conv.depthwise) {
    return pass == ConvPass::wgrad ? bytes_of(kernels::depthwise_wgrad_scratch(depthwise_shape(conv, x))) : 0;
  }
  const kernels::ConvShape shape = dense_shape(conv, x, w);
  switch (pass) {
    case ConvPass::forward:
      return bytes_of(kernels::conv2d_forward_scratch(shape));
    case ConvPass::dgrad:
      return bytes_of(kernels::conv2d_dgrad_scratch(shape));
    case ConvPass::wgrad:
      return bytes_of(kernels::conv2d_wgrad_scratch(shape));
  }
  return 0;
}

}  // namespace

std::size_t GpuBackend::conv2d_workspace(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                                         GradMode mode) {
  const std::int64_t result = pass == ConvPass::forward ? conv2d_output(conv, x, w).elements()
                              : pass == ConvPass::dgrad ? x.elements()
                                                        : w.elements();
  return engine_.workspace(hand_workspace(pass, conv, x, w), bytes_of(result), mode);
}

void GpuBackend::do_conv2d_forward(const Conv2d& conv, const Tensor& x, const Tensor& w, const Tensor& y,
                                   void* workspace) {
  convolve(ConvPass::forward, conv, x.shape(), w.shape(), {x, w, y}, GradMode::overwrite, workspace,
           [&](float* result, float* memory) {
             if (conv.depthwise) {
               return kernels::depthwise_forward(stream(), choice_.level, depthwise_shape(conv, x.shape()),
                                                 in(x), in(w), result);
             }
             kernels::conv2d_forward(stream(), choice_, dense_shape(conv, x.shape(), w.shape()), in(x), in(w),
                                     result, memory);
           });
}

void GpuBackend::do_conv2d_dgrad(const Conv2d& conv, const Tensor& dy, const Tensor& w, const Tensor& dx,
                                 GradMode mode, void* workspace) {
  convolve(ConvPass::dgrad, conv, dx.shape(), w.shape(), {dy, w, dx}, mode, workspace,
           [&](float* result, float* memory) {
             if (conv.depthwise) {
               return kernels::depthwise_dgrad(stream(), choice_.level, depthwise_shape(conv, dx.shape()),
                                               in(dy), in(w), result, adds(mode));
             }
             kernels::conv2d_dgrad(stream(), choice_, dense_shape(conv, dx.shape(), w.shape()), in(dy), in(w),
                                   result, adds(mode), memory);
           });
}

void GpuBackend::do_conv2d_wgrad(const Conv2d& conv, const Tensor& x, const Tensor& dy, const Tensor& dw,
                                 GradMode mode, void* workspace) {
  convolve(ConvPass::wgrad, conv, x.shape(), dw.shape(), {x, dy, dw}, mode, workspace,
           [&](float* result, float* memory) {
             if (conv.depthwise) {
               return kernels::depthwise_wgrad(stream(), choice_.level, depthwise_shape(conv, x.shape()),
                                               in(x), in(dy), result, adds(mode), memory);
             }
             kernels::conv2d_wgrad(stream(), choice_, dense_shape(conv, x.shape(), dw.shape()), in(x), in(dy),
                                   result, adds(mode), memory);
           });
}

void GpuBackend::convolve(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                          const ConvOperands& operands, GradMode mode, void* workspace,
                          const std::function<void(float* result, float* scratch)>& hand) {
  const auto [target, rest] = engine_.take_apart(workspace, operands.result, mode);
  engine_.run(
      key_of(pass, conv, x, w), target, [&, rest = rest](float* to) { hand(to, scratch(rest)); },
      [&, rest = rest](VendorProducts& vendor, float* to) {
        return vendor.convolution(pass, conv, x, w, in(operands.first), in(operands.second), to, adds(mode),
                                  rest);
      });
}

// The epilogue that leaves moments is of the kernels here: another engine's convolution is followed by batch
// norm as it is.
std::optional<std::size_t> GpuBackend::conv2d_batch_norm_workspace(const Conv2d& conv, const Shape& x,
                                                                   const Shape& w) {
  if (conv.depthwise || engine_.engine() != Engine::hand) return std::nullopt;
  const kernels::ConvShape shape = dense_shape(conv, x, w);
  if (!kernels::has_moments(choice_, shape)) return std::nullopt;
  return bytes_of(kernels::conv2d_moments(shape));
}

void GpuBackend::do_conv2d_batch_norm_forward(const Conv2d& conv, const Tensor& x, const Tensor& w,
                                              const Tensor& scale, const Tensor& shift, float epsilon,
                                              Activation act, const Tensor& y, const Tensor& z,
                                              const Tensor& mean, const Tensor& var, void* workspace) {
  float* moments = scratch(workspace);
  kernels::conv2d_forward_moments(stream(), choice_, dense_shape(conv, x.shape(), w.shape()), in(x), in(w),
                                  out(y), moments);
  kernels::batch_norm_forward_moments(stream(), norm_shape(y, epsilon, act), moments, in(y), in(scale),
                                      in(shift), out(z), out(mean), out(var));
}

// --- normalisation ---------------------------------------------------------------------------------------

void GpuBackend::do_batch_norm_forward(const Tensor& x, const Tensor& scale, const Tensor& shift,
                                       float epsilon, Activation act, const Tensor& y, const Tensor& mean,
                                       const Tensor& var, void* workspace) {
  kernels::batch_norm_forward(stream(), norm_shape(x, epsilon, act), in(x), in(scale), in(shift), out(y),
                              out(mean), out(var), scratch(workspace));
}

void GpuBackend::do_batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean,
                                        const Tensor& var, const Tensor& scale, const Tensor& shift,
                                        float epsilon, Activation act, const Tensor& dx, GradMode dx_mode,
                                        const Tensor& dscale, GradMode dscale_mode, const Tensor& dshift,
                                        GradMode dshift_mode, void* workspace) {
  kernels::batch_norm_backward(
      stream(), norm_shape(x, epsilon, act), in(dy), in(x), in(mean), in(var), in(scale), in(shift),
      {out(dx), out(dscale), out(dshift), adds(dx_mode), adds(dscale_mode), adds(dshift_mode)},
      scratch(workspace));
}

void GpuBackend::do_batch_norm_inference(const Tensor& x, const Tensor& mean, const Tensor& var,
                                         const Tensor& scale, const Tensor& shift, float epsilon,
                                         Activation act, const Tensor& y) {
  kernels::batch_norm_inference(stream(), norm_shape(x, epsilon, act), in(x), in(mean), in(var), in(scale),
                                in(shift), out(y));
}

void GpuBackend::do_layer_norm_forward(const Tensor& x, float epsilon, Activation act, const Tensor& y,
                                       const Tensor& mean, const Tensor& inverse) {
  kernels::layer_norm_forward(stream(), norm_shape(x, epsilon, act), in(x), out(y), out(mean), out(inverse));
}

void GpuBackend::do_layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean,
                                        const Tensor& inverse, Activation act, const Tensor& dx,
                                        GradMode mode) {
  kernels::layer_norm_backward(stream(), norm_shape(x, 0, act), in(dy), in(x), in(mean), in(inverse), out(dx),
                               adds(mode));
}

// --- elementwise -----------------------------------------------------------------------------------------

void GpuBackend::do_activation_forward(Activation act, const Tensor& x, const Tensor& y) {
  kernels::activation_forward(stream(), act, in(x), out(y), x.elements());
}
void GpuBackend::do_activation_backward(Activation act, const Tensor& x, const Tensor& dy, const Tensor& dx,
                                        GradMode mode) {
  kernels::activation_backward(stream(), act, in(x), in(dy), out(dx), adds(mode), x.elements());
}
void GpuBackend::do_add(const Tensor& a, const Tensor& b, const Tensor& y) {
  kernels::add(stream(), in(a), in(b), out(y), a.elements());
}
void GpuBackend::do_copy_gradient(const Tensor& dy, const Tensor& dx, GradMode mode) {
  kernels::copy_gradient(stream(), in(dy), out(dx), adds(mode), dy.elements());
}
void GpuBackend::do_lerp(const Tensor& source, float t, const Tensor& target) {
  kernels::lerp(stream(), in(source), t, out(target), target.elements());
}

void GpuBackend::do_channel_scale_forward(const Tensor& x, const Tensor& s, const Tensor& y) {
  const Shape& shape = x.shape();
  kernels::channel_scale_forward(stream(), in(x), in(s), out(y), shape[0], shape[1] * shape[2], shape[3]);
}
void GpuBackend::do_channel_scale_backward(const Tensor& dy, const Tensor& x, const Tensor& s,
                                           const Tensor& dx, GradMode dx_mode, const Tensor& ds,
                                           GradMode ds_mode, void*) {
  const Shape& shape = x.shape();
  kernels::channel_scale_backward(stream(), in(dy), in(x), in(s), out(dx), adds(dx_mode), out(ds),
                                  adds(ds_mode), shape[0], shape[1] * shape[2], shape[3]);
}

// --- channels --------------------------------------------------------------------------------------------

void GpuBackend::do_concat_forward(const Tensor& a, const Tensor& b, const Tensor& y) {
  kernels::concat_forward(stream(), in(a), in(b), out(y), y.shape().rows(), a.shape().back(),
                          b.shape().back());
}
void GpuBackend::do_concat_backward(const Tensor& dy, std::int64_t channel, const Tensor& dx, GradMode mode) {
  kernels::concat_backward(stream(), in(dy), dy.shape().back(), channel, out(dx), adds(mode),
                           dx.shape().rows(), dx.shape().back());
}

// --- pooling ---------------------------------------------------------------------------------------------

void GpuBackend::do_max_pool_forward(const Pool2d& pool, const Tensor& x, const Tensor& y,
                                     const Tensor& argmax) {
  kernels::max_pool_forward(stream(), pool_shape(pool, x.shape()), in(x), out(y),
                            argmax.data<std::int32_t>());
}
void GpuBackend::do_max_pool_backward(const Pool2d& pool, const Tensor& dy, const Tensor& argmax,
                                      const Tensor& dx, GradMode mode) {
  kernels::max_pool_backward(stream(), pool_shape(pool, dx.shape()), in(dy), integers(argmax), out(dx),
                             adds(mode));
}
void GpuBackend::do_average_pool_forward(const Pool2d& pool, const Tensor& x, const Tensor& y) {
  kernels::average_pool_forward(stream(), pool_shape(pool, x.shape()), in(x), out(y));
}
void GpuBackend::do_average_pool_backward(const Pool2d& pool, const Tensor& dy, const Tensor& dx,
                                          GradMode mode) {
  kernels::average_pool_backward(stream(), pool_shape(pool, dx.shape()), in(dy), out(dx), adds(mode));
}
void GpuBackend::do_global_pool_forward(const Tensor& x, const Tensor& y) {
  const Shape& s = x.shape();
  kernels::global_pool_forward(stream(), in(x), out(y), s[0], s[1] * s[2], s[3]);
}
void GpuBackend::do_global_pool_backward(const Tensor& dy, const Tensor& dx, GradMode mode) {
  const Shape& s = dx.shape();
  kernels::global_pool_backward(stream(), in(dy), out(dx), adds(mode), s[0], s[1] * s[2], s[3]);
}

}  // namespace adwp::ADWP_GPU
