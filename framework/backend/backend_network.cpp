// Public methods of Backend for the layers of a network: check, take workspace, compute.
#include "framework/backend/backend.h"
#include "framework/backend/checks.h"

namespace adwp {

using namespace checks;

namespace {

// For profiles: "3x3 s2 (64, 32, 32, 16) -> 32".
std::string text(const Conv2d& conv, const Tensor& x, const Tensor& w) {
  return fmt::format("{}{}x{} s{} {} -> {}", conv.depthwise ? "depthwise " : "", conv.kernel, conv.kernel,
                     conv.stride, x.shape().text(), w.shape()[0]);
}

// Of a convolution in any of its passes: a multiply-add for each output and element of its window.
double flops(const Conv2d& conv, const Tensor& y, const Tensor& w) {
  return 2.0 * static_cast<double>(y.elements()) *
         static_cast<double>(conv.kernel * conv.kernel * w.shape()[3]);
}

std::string text(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k) {
  return fmt::format("{}{} x {} x {}", batch == 1 ? "" : fmt::format("{} of ", batch), m, n, k);
}

struct ProductSizes {
  std::int64_t m, n, k;
};

// From the last two axes of the operands.
ProductSizes sizes_of(const Gemm& spec, const Shape& a, const Shape& b) {
  const int row = a.rank() - 2, column = a.rank() - 1;
  return {a[spec.transpose_a ? column : row], b[spec.transpose_b ? row : column],
          a[spec.transpose_a ? row : column]};
}

}  // namespace

void Backend::gemm(const Gemm& spec, const Tensor& a, const Tensor& b, const Tensor& bias, Activation act,
                   const Tensor& c, GradMode mode) {
  expect_rank("gemm", "a", a, 2);
  expect_rank("gemm", "b", b, 2);
  const auto [m, n, k] = sizes_of(spec, a.shape(), b.shape());
  expect("gemm", "b", b, spec.transpose_b ? Shape{n, k} : Shape{k, n});
  expect("gemm", "c", c, Shape{m, n});
  if (bias.defined()) expect("gemm", "bias", bias, Shape{n});
  auto one = [](const Tensor& t) { return t.view(0, Shape{1, t.shape()[0], t.shape()[1]}); };
  multiply("gemm", spec, one(a), one(b), bias, act, one(c), mode);
}

void Backend::batched_gemm(const Gemm& spec, const Tensor& a, const Tensor& b, const Tensor& bias,
                           Activation act, const Tensor& c, GradMode mode) {
  expect_rank("batched_gemm", "a", a, 3);
  expect_rank("batched_gemm", "b", b, 3);
  const auto [m, n, k] = sizes_of(spec, a.shape(), b.shape());
  const std::int64_t batch = a.shape()[0];
  expect("batched_gemm", "b", b, spec.transpose_b ? Shape{batch, n, k} : Shape{batch, k, n});
  expect("batched_gemm", "c", c, Shape{batch, m, n});
  if (bias.defined()) {
    expect("batched_gemm", "bias", bias, bias.shape().rank() == 2 ? Shape{batch, n} : Shape{n});
  }
  multiply("batched_gemm", spec, a, b, bias, act, c, mode);
}

void Backend::multiply(const char* where, const Gemm& spec, const Tensor& a, const Tensor& b,
                       const Tensor& bias, Activation act, const Tensor& c, GradMode mode) {
  const std::int64_t batch = a.shape()[0];
  const auto [m, n, k] = sizes_of(spec, a.shape(), b.shape());
  require(mode == GradMode::overwrite || (!bias.defined() && act == Activation::none), where,
          "accumulation takes neither bias nor activation");
  Workspace workspace(c, gemm_workspace(spec, c.shape(), k, mode));
  if (skip(c)) return;
  if (k == 0 && !bias.defined()) {  // a sum of nothing
    if (mode == GradMode::overwrite) c.zero();
    return;
  }
  const ProfileScope scope(*this, profile_, where, {&a, &b, &bias, &c},
                           2.0 * static_cast<double>(batch * m * n * k),
                           [&, m = m, n = n, k = k] { return text(batch, m, n, k); });
  do_gemm(spec, a, b, bias, act, c, mode, workspace.data());
}

void Backend::column_sum(const Tensor& x, const Tensor& sum, GradMode mode) {
  expect_rank("column_sum", "x", x, 2);
  expect("column_sum", "sum", sum, Shape{x.shape()[1]});
  Workspace workspace(sum, reduction_workspace(x.shape()[0], x.shape()[1]));
  if (skip(sum)) return;
  const ProfileScope scope(*this, profile_, "column_sum", {&x, &sum});
  do_column_sum(x, sum, mode, workspace.data());
}

void Backend::conv2d_forward(const Conv2d& conv, const Tensor& x, const Tensor& w, const Tensor& y) {
  expect_rank("conv2d_forward", "x", x, 4);
  expect_rank("conv2d_forward", "w", w, 4);
  expect("conv2d_forward", "y", y, conv2d_output(conv, x.shape(), w.shape()));
  Workspace workspace(y,
                      conv2d_workspace(ConvPass::forward, conv, x.shape(), w.shape(), GradMode::overwrite));
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "conv2d_forward", {&x, &w, &y}, flops(conv, y, w),
                           [&] { return text(conv, x, w); });
  do_conv2d_forward(conv, x, w, y, workspace.data());
}

void Backend::conv2d_dgrad(const Conv2d& conv, const Tensor& dy, const Tensor& w, const Tensor& dx,
                           GradMode mode) {
  expect_rank("conv2d_dgrad", "dx", dx, 4);
  expect_rank("conv2d_dgrad", "w", w, 4);
  expect("conv2d_dgrad", "dy", dy, conv2d_output(conv, dx.shape(), w.shape()));
  Workspace workspace(dx, conv2d_workspace(ConvPass::dgrad, conv, dx.shape(), w.shape(), mode));
  if (skip(dx)) return;
  const ProfileScope scope(*this, profile_, "conv2d_dgrad", {&dy, &w, &dx}, flops(conv, dy, w),
                           [&] { return text(conv, dx, w); });
  do_conv2d_dgrad(conv, dy, w, dx, mode, workspace.data());
}

void Backend::conv2d_wgrad(const Conv2d& conv, const Tensor& x, const Tensor& dy, const Tensor& dw,
                           GradMode mode) {
  expect_rank("conv2d_wgrad", "x", x, 4);
  expect_rank("conv2d_wgrad", "dw", dw, 4);
  expect("conv2d_wgrad", "dy", dy, conv2d_output(conv, x.shape(), dw.shape()));
  Workspace workspace(dw, conv2d_workspace(ConvPass::wgrad, conv, x.shape(), dw.shape(), mode));
  if (skip(dw)) return;
  if (x.elements() == 0) {  // an empty batch has a gradient of zero
    if (mode == GradMode::overwrite) dw.zero();
    return;
  }
  const ProfileScope scope(*this, profile_, "conv2d_wgrad", {&x, &dy, &dw}, flops(conv, dy, dw),
                           [&] { return text(conv, x, dw); });
  do_conv2d_wgrad(conv, x, dy, dw, mode, workspace.data());
}

namespace {

struct NormOperands {
  const Tensor &scale, &shift, &mean, &var;
};

void expect_batch_norm(const char* where, const Tensor& x, const NormOperands& operands) {
  expect_f32(where, "x", x);
  const Shape channels{x.shape().back()};
  expect(where, "scale", operands.scale, channels);
  expect(where, "shift", operands.shift, channels);
  expect(where, "mean", operands.mean, channels);
  expect(where, "var", operands.var, channels);
}

}  // namespace

void Backend::batch_norm_forward(const Tensor& x, const Tensor& scale, const Tensor& shift, float epsilon,
                                 Activation act, const Tensor& y, const Tensor& mean, const Tensor& var) {
  expect_batch_norm("batch_norm_forward", x, {scale, shift, mean, var});
  expect("batch_norm_forward", "y", y, x.shape());
  Workspace workspace(y, reduction_workspace(x.shape().rows(), x.shape().back()));
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "batch_norm_forward", {&x, &scale, &shift, &y, &mean, &var}, 0,
                           [&] { return x.shape().text(); });
  do_batch_norm_forward(x, scale, shift, epsilon, act, y, mean, var, workspace.data());
}

std::optional<std::size_t> Backend::conv2d_batch_norm_workspace(const Conv2d&, const Shape&, const Shape&) {
  return std::nullopt;
}
void Backend::do_conv2d_batch_norm_forward(const Conv2d&, const Tensor&, const Tensor&, const Tensor&,
                                           const Tensor&, float, Activation, const Tensor&, const Tensor&,
                                           const Tensor&, const Tensor&, void*) {
  fail("conv2d_batch_norm_forward", "{} has workspace for it and no method", name());
}

void Backend::conv2d_batch_norm_forward(const Conv2d& conv, const Tensor& x, const Tensor& w,
                                        const Tensor& scale, const Tensor& shift, float epsilon,
                                        Activation act, const Tensor& y, const Tensor& z, const Tensor& mean,
                                        const Tensor& var) {
  const char* where = "conv2d_batch_norm_forward";
  expect_rank(where, "x", x, 4);
  expect_rank(where, "w", w, 4);
  expect(where, "y", y, conv2d_output(conv, x.shape(), w.shape()));
  expect(where, "z", z, y.shape());
  expect_batch_norm(where, y, {scale, shift, mean, var});
  const std::optional<std::size_t> bytes = conv2d_batch_norm_workspace(conv, x.shape(), w.shape());
  if (!bytes) {
    conv2d_forward(conv, x, w, y);
    batch_norm_forward(y, scale, shift, epsilon, act, z, mean, var);
    return;
  }
  Workspace workspace(z, *bytes);
  if (skip(z)) return;
  const ProfileScope scope(*this, profile_, where, {&x, &w, &scale, &shift, &y, &z, &mean, &var},
                           flops(conv, y, w), [&] { return text(conv, x, w); });
  do_conv2d_batch_norm_forward(conv, x, w, scale, shift, epsilon, act, y, z, mean, var, workspace.data());
}

void Backend::batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& var,
                                  const Tensor& scale, const Tensor& shift, float epsilon, Activation act,
                                  const Tensor& dx, GradMode dx_mode, const Tensor& dscale,
                                  GradMode dscale_mode, const Tensor& dshift, GradMode dshift_mode) {
  expect_batch_norm("batch_norm_backward", x, {scale, shift, mean, var});
  expect("batch_norm_backward", "dy", dy, x.shape());
  expect("batch_norm_backward", "dx", dx, x.shape());
  expect("batch_norm_backward", "dscale", dscale, scale.shape());
  expect("batch_norm_backward", "dshift", dshift, shift.shape());
  Workspace workspace(dx, reduction_workspace(x.shape().rows(), x.shape().back()));
  if (dx.arena().counting()) return;
  if (x.elements() == 0) {
    if (dscale_mode == GradMode::overwrite) dscale.zero();
    if (dshift_mode == GradMode::overwrite) dshift.zero();
    return;
  }
  const ProfileScope scope(*this, profile_, "batch_norm_backward",
                           {&dy, &x, &mean, &var, &scale, &shift, &dx, &dscale, &dshift}, 0,
                           [&] { return x.shape().text(); });
  do_batch_norm_backward(dy, x, mean, var, scale, shift, epsilon, act, dx, dx_mode, dscale, dscale_mode,
                         dshift, dshift_mode, workspace.data());
}

void Backend::batch_norm_inference(const Tensor& x, const Tensor& mean, const Tensor& var,
                                   const Tensor& scale, const Tensor& shift, float epsilon, Activation act,
                                   const Tensor& y) {
  expect_batch_norm("batch_norm_inference", x, {scale, shift, mean, var});
  expect("batch_norm_inference", "y", y, x.shape());
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "batch_norm_inference", {&x, &mean, &var, &scale, &shift, &y});
  do_batch_norm_inference(x, mean, var, scale, shift, epsilon, act, y);
}

void Backend::layer_norm_forward(const Tensor& x, float epsilon, Activation act, const Tensor& y,
                                 const Tensor& mean, const Tensor& inverse) {
  expect_rank("layer_norm_forward", "x", x, 2);
  expect("layer_norm_forward", "y", y, x.shape());
  expect("layer_norm_forward", "mean", mean, Shape{x.shape()[0]});
  expect("layer_norm_forward", "inverse", inverse, Shape{x.shape()[0]});
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "layer_norm_forward", {&x, &y, &mean, &inverse});
  do_layer_norm_forward(x, epsilon, act, y, mean, inverse);
}

void Backend::layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean,
                                  const Tensor& inverse, Activation act, const Tensor& dx, GradMode mode) {
  expect_rank("layer_norm_backward", "x", x, 2);
  expect("layer_norm_backward", "dy", dy, x.shape());
  expect("layer_norm_backward", "dx", dx, x.shape());
  expect("layer_norm_backward", "mean", mean, Shape{x.shape()[0]});
  expect("layer_norm_backward", "inverse", inverse, Shape{x.shape()[0]});
  if (skip(dx)) return;
  const ProfileScope scope(*this, profile_, "layer_norm_backward", {&dy, &x, &mean, &inverse, &dx});
  do_layer_norm_backward(dy, x, mean, inverse, act, dx, mode);
}

void Backend::activation_forward(Activation act, const Tensor& x, const Tensor& y) {
  expect_f32("activation_forward", "x", x);
  expect("activation_forward", "y", y, x.shape());
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "activation_forward", {&x, &y});
  do_activation_forward(act, x, y);
}

void Backend::activation_backward(Activation act, const Tensor& x, const Tensor& dy, const Tensor& dx,
                                  GradMode mode) {
  expect_f32("activation_backward", "x", x);
  expect("activation_backward", "dy", dy, x.shape());
  expect("activation_backward", "dx", dx, x.shape());
  if (skip(dx)) return;
  const ProfileScope scope(*this, profile_, "activation_backward", {&x, &dy, &dx});
  do_activation_backward(act, x, dy, dx, mode);
}

void Backend::add(const Tensor& a, const Tensor& b, const Tensor& y) {
  expect_f32("add", "a", a);
  expect("add", "b", b, a.shape());
  expect("add", "y", y, a.shape());
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "add", {&a, &b, &y});
  do_add(a, b, y);
}

void Backend::copy_gradient(const Tensor& dy, const Tensor& dx, GradMode mode) {
  expect_f32("copy_gradient", "dy", dy);
  expect("copy_gradient", "dx", dx, dy.shape());
  if (skip(dx)) return;
  const ProfileScope scope(*this, profile_, "copy_gradient", {&dy, &dx});
  do_copy_gradient(dy, dx, mode);
}

void Backend::channel_scale_forward(const Tensor& x, const Tensor& s, const Tensor& y) {
  expect_rank("channel_scale_forward", "x", x, 4);
  expect("channel_scale_forward", "s", s, Shape{x.shape()[0], 1, 1, x.shape()[3]});
  expect("channel_scale_forward", "y", y, x.shape());
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "channel_scale_forward", {&x, &s, &y});
  do_channel_scale_forward(x, s, y);
}

void Backend::channel_scale_backward(const Tensor& dy, const Tensor& x, const Tensor& s, const Tensor& dx,
                                     GradMode dx_mode, const Tensor& ds, GradMode ds_mode) {
  expect_rank("channel_scale_backward", "x", x, 4);
  expect("channel_scale_backward", "s", s, Shape{x.shape()[0], 1, 1, x.shape()[3]});
  expect("channel_scale_backward", "dy", dy, x.shape());
  expect("channel_scale_backward", "dx", dx, x.shape());
  expect("channel_scale_backward", "ds", ds, s.shape());
  Workspace workspace(dx, reduction_workspace(x.shape()[1] * x.shape()[2], x.shape()[3]));
  if (skip(dx)) return;
  const ProfileScope scope(*this, profile_, "channel_scale_backward", {&dy, &x, &s, &dx, &ds});
  do_channel_scale_backward(dy, x, s, dx, dx_mode, ds, ds_mode, workspace.data());
}

namespace {

Shape with_channels(const Shape& shape, std::int64_t channels) {
  return Shape{shape[0], shape[1], shape[2], channels};
}

}  // namespace

void Backend::concat_forward(const Tensor& a, const Tensor& b, const Tensor& y) {
  expect_rank("concat_forward", "a", a, 4);
  expect_rank("concat_forward", "b", b, 4);
  expect("concat_forward", "b", b, with_channels(a.shape(), b.shape()[3]));
  expect("concat_forward", "y", y, with_channels(a.shape(), a.shape()[3] + b.shape()[3]));
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "concat_forward", {&a, &b, &y});
  do_concat_forward(a, b, y);
}

void Backend::concat_backward(const Tensor& dy, std::int64_t channel, const Tensor& dx, GradMode mode) {
  expect_rank("concat_backward", "dy", dy, 4);
  expect_rank("concat_backward", "dx", dx, 4);
  expect("concat_backward", "dx", dx, with_channels(dy.shape(), dx.shape()[3]));
  require(channel >= 0 && channel + dx.shape()[3] <= dy.shape()[3], "concat_backward",
          "channels out of range, got {} from {} on, of {}", dx.shape()[3], channel, dy.text());
  if (skip(dx)) return;
  const ProfileScope scope(*this, profile_, "concat_backward", {&dy, &dx});
  do_concat_backward(dy, channel, dx, mode);
}

void Backend::max_pool_forward(const Pool2d& pool, const Tensor& x, const Tensor& y, const Tensor& argmax) {
  expect_rank("max_pool_forward", "x", x, 4);
  expect("max_pool_forward", "y", y, pool2d_output(pool, x.shape()));
  expect("max_pool_forward", "argmax", argmax, y.shape(), DType::i32);
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "max_pool_forward", {&x, &y, &argmax});
  do_max_pool_forward(pool, x, y, argmax);
}

void Backend::max_pool_backward(const Pool2d& pool, const Tensor& dy, const Tensor& argmax, const Tensor& dx,
                                GradMode mode) {
  expect_rank("max_pool_backward", "dx", dx, 4);
  expect("max_pool_backward", "dy", dy, pool2d_output(pool, dx.shape()));
  expect("max_pool_backward", "argmax", argmax, dy.shape(), DType::i32);
  if (skip(dx)) return;
  const ProfileScope scope(*this, profile_, "max_pool_backward", {&dy, &argmax, &dx});
  do_max_pool_backward(pool, dy, argmax, dx, mode);
}

void Backend::average_pool_forward(const Pool2d& pool, const Tensor& x, const Tensor& y) {
  expect_rank("average_pool_forward", "x", x, 4);
  expect("average_pool_forward", "y", y, pool2d_output(pool, x.shape()));
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "average_pool_forward", {&x, &y});
  do_average_pool_forward(pool, x, y);
}

void Backend::average_pool_backward(const Pool2d& pool, const Tensor& dy, const Tensor& dx, GradMode mode) {
  expect_rank("average_pool_backward", "dx", dx, 4);
  expect("average_pool_backward", "dy", dy, pool2d_output(pool, dx.shape()));
  if (skip(dx)) return;
  const ProfileScope scope(*this, profile_, "average_pool_backward", {&dy, &dx});
  do_average_pool_backward(pool, dy, dx, mode);
}

void Backend::global_pool_forward(const Tensor& x, const Tensor& y) {
  expect_rank("global_pool_forward", "x", x, 4);
  require(x.shape()[1] * x.shape()[2] > 0, "global_pool_forward", "no pixels, got x {}", x.text());
  expect("global_pool_forward", "y", y, Shape{x.shape()[0], 1, 1, x.shape()[3]});
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "global_pool_forward", {&x, &y});
  do_global_pool_forward(x, y);
}

void Backend::global_pool_backward(const Tensor& dy, const Tensor& dx, GradMode mode) {
  expect_rank("global_pool_backward", "dx", dx, 4);
  expect("global_pool_backward", "dy", dy, Shape{dx.shape()[0], 1, 1, dx.shape()[3]});
  if (skip(dx)) return;
  const ProfileScope scope(*this, profile_, "global_pool_backward", {&dy, &dx});
  do_global_pool_backward(dy, dx, mode);
}

}  // namespace adwp
