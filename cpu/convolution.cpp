// Convolution: dense through oneDNN, depthwise through our own loops.
#include "cpu/convolution_cache.h"
#include "cpu/cpu_class.h"
#include "cpu/depthwise.h"
#include "cpu/parallel.h"

namespace adwp::cpu {
namespace {

std::byte* at(void* workspace, std::size_t offset) { return static_cast<std::byte*>(workspace) + offset; }

void sum_into(const float* from, const Tensor& target) {
  float* to = target.data<float>();
  parallel_for(target.elements(), 16384, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
  });
}

}  // namespace

std::size_t CpuBackend::conv2d_workspace(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                                         GradMode mode) {
  if (x.elements() == 0 || w.elements() == 0) return 0;
  if (conv.depthwise) return depthwise_workspace(pass, conv, x);
  return convolutions_->get(pass, conv, x, w, mode == GradMode::accumulate).bytes;
}

void CpuBackend::do_conv2d_forward(const Conv2d& conv, const Tensor& x, const Tensor& w, const Tensor& y,
                                   void* workspace) {
  if (conv.depthwise) return depthwise_forward(conv, x, w, y, workspace);
  Convolution& c = convolutions_->get(ConvPass::forward, conv, x.shape(), w.shape(), false);
  dnnl::stream& stream = convolutions_->stream();
  c.x.set_data_handle(x.address());
  c.y.set_data_handle(y.address());
  c.w.set_data_handle(w.address());
  c.w_packed.set_data_handle(c.repack ? at(workspace, c.packed_offset) : w.address());
  c.pad.set_data_handle(at(workspace, c.scratchpad_offset));
  if (c.repack) c.pack.execute(stream, c.w, c.w_packed);
  c.primitive.execute(stream, {{DNNL_ARG_SRC, c.x},
                               {DNNL_ARG_WEIGHTS, c.w_packed},
                               {DNNL_ARG_DST, c.y},
                               {DNNL_ARG_SCRATCHPAD, c.pad}});
}

void CpuBackend::do_conv2d_dgrad(const Conv2d& conv, const Tensor& dy, const Tensor& w, const Tensor& dx,
                                 GradMode mode, void* workspace) {
  if (conv.depthwise) return depthwise_dgrad(conv, dy, w, dx, mode, workspace);
  const bool separate = mode == GradMode::accumulate;
  Convolution& c = convolutions_->get(ConvPass::dgrad, conv, dx.shape(), w.shape(), separate);
  dnnl::stream& stream = convolutions_->stream();
  void* result = separate ? at(workspace, c.result_offset) : dx.address();
  c.x.set_data_handle(result);
  c.y.set_data_handle(dy.address());
  c.w.set_data_handle(w.address());
  c.w_packed.set_data_handle(c.repack ? at(workspace, c.packed_offset) : w.address());
  c.pad.set_data_handle(at(workspace, c.scratchpad_offset));
  if (c.repack) c.pack.execute(stream, c.w, c.w_packed);
  c.primitive.execute(stream, {{DNNL_ARG_DIFF_DST, c.y},
                               {DNNL_ARG_WEIGHTS, c.w_packed},
                               {DNNL_ARG_DIFF_SRC, c.x},
                               {DNNL_ARG_SCRATCHPAD, c.pad}});
  if (separate) sum_into(static_cast<const float*>(result), dx);
}

void CpuBackend::do_conv2d_wgrad(const Conv2d& conv, const Tensor& x, const Tensor& dy, const Tensor& dw,
                                 GradMode mode, void* workspace) {
  if (conv.depthwise) return depthwise_wgrad(conv, x, dy, dw, mode, workspace);
  const bool separate = mode == GradMode::accumulate;
  Convolution& c = convolutions_->get(ConvPass::wgrad, conv, x.shape(), dw.shape(), separate);
  dnnl::stream& stream = convolutions_->stream();
  void* result = separate ? at(workspace, c.result_offset) : dw.address();
  c.x.set_data_handle(x.address());
  c.y.set_data_handle(dy.address());
  c.w.set_data_handle(result);
  c.w_packed.set_data_handle(c.repack ? at(workspace, c.packed_offset) : result);
  c.pad.set_data_handle(at(workspace, c.scratchpad_offset));
  c.primitive.execute(stream, {{DNNL_ARG_SRC, c.x},
                               {DNNL_ARG_DIFF_DST, c.y},
                               {DNNL_ARG_DIFF_WEIGHTS, c.w_packed},
                               {DNNL_ARG_SCRATCHPAD, c.pad}});
  if (c.repack) c.unpack.execute(stream, c.w_packed, c.w);
  if (separate) sum_into(static_cast<const float*>(result), dw);
}

}  // namespace adwp::cpu
