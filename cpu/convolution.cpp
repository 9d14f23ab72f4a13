// Convolution: dense through oneDNN, depthwise through our own loops.
#include "cpu/convolution_cache.h"
#include "cpu/cpu_class.h"
#include "cpu/depthwise.h"
#include "cpu/parallel.h"

namespace adwp::cpu {
namespace {

std::byte* at(void* workspace, std::size_t offset) { return static_cast<std::byte*>(workspace) + offset; }

// Points the primitive's memories at the operands of this call; x, w and y are those of the formula,
// whichever of them the pass computes.
void bind(Convolution& c, void* x, void* w, void* y, void* workspace) {
  c.x.set_data_handle(x);
  c.w.set_data_handle(w);
  c.y.set_data_handle(y);
  c.w_packed.set_data_handle(c.repack ? at(workspace, c.packed_offset) : w);
  c.pad.set_data_handle(at(workspace, c.scratchpad_offset));
}

void add_to(const Tensor& target, const void* computed) {
  float* to = target.data<float>();
  const auto* from = static_cast<const float*>(computed);
  parallel_for(target.elements(), 16384, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
  });
}

}  // namespace

std::size_t CpuBackend::workspace(const ConvForward& op) {
  return bytes_for(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), false);
}
std::size_t CpuBackend::workspace(const ConvDgrad& op) {
  return bytes_for(ConvPass::dgrad, op.conv, op.dx.tensor.shape(), op.w.shape(), op.dx.adds());
}
std::size_t CpuBackend::workspace(const ConvWgrad& op) {
  return bytes_for(ConvPass::wgrad, op.conv, op.x.shape(), op.dw.tensor.shape(), op.dw.adds());
}

std::size_t CpuBackend::bytes_for(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                                  bool adds) {
  if (x.elements() == 0 || w.elements() == 0) return 0;
  if (conv.depthwise) return depthwise_workspace(pass, conv, x);
  return convolutions_->get(pass, conv, x, w, adds).bytes;
}

void CpuBackend::compute(const ConvForward& op, void* workspace) {
  if (op.conv.depthwise) return depthwise_forward(op, workspace);
  Convolution& c = convolutions_->get(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), false);
  bind(c, op.x.address(), op.w.address(), op.y.address(), workspace);
  if (c.repack) c.pack.execute(convolutions_->stream(), c.w, c.w_packed);
  c.primitive.execute(convolutions_->stream(), {{DNNL_ARG_SRC, c.x},
                                                {DNNL_ARG_WEIGHTS, c.w_packed},
                                                {DNNL_ARG_DST, c.y},
                                                {DNNL_ARG_SCRATCHPAD, c.pad}});
}

void CpuBackend::compute(const ConvDgrad& op, void* workspace) {
  if (op.conv.depthwise) return depthwise_dgrad(op, workspace);
  const Tensor& dx = op.dx.tensor;
  Convolution& c = convolutions_->get(ConvPass::dgrad, op.conv, dx.shape(), op.w.shape(), op.dx.adds());
  void* result = op.dx.adds() ? at(workspace, c.result_offset) : dx.address();
  bind(c, result, op.w.address(), op.dy.address(), workspace);
  if (c.repack) c.pack.execute(convolutions_->stream(), c.w, c.w_packed);
  c.primitive.execute(convolutions_->stream(), {{DNNL_ARG_DIFF_DST, c.y},
                                                {DNNL_ARG_WEIGHTS, c.w_packed},
                                                {DNNL_ARG_DIFF_SRC, c.x},
                                                {DNNL_ARG_SCRATCHPAD, c.pad}});
  if (op.dx.adds()) add_to(dx, result);
}

void CpuBackend::compute(const ConvWgrad& op, void* workspace) {
  if (op.conv.depthwise) return depthwise_wgrad(op, workspace);
  const Tensor& dw = op.dw.tensor;
  Convolution& c = convolutions_->get(ConvPass::wgrad, op.conv, op.x.shape(), dw.shape(), op.dw.adds());
  void* result = op.dw.adds() ? at(workspace, c.result_offset) : dw.address();
  bind(c, op.x.address(), result, op.dy.address(), workspace);
  c.primitive.execute(convolutions_->stream(), {{DNNL_ARG_SRC, c.x},
                                                {DNNL_ARG_DIFF_DST, c.y},
                                                {DNNL_ARG_DIFF_WEIGHTS, c.w_packed},
                                                {DNNL_ARG_SCRATCHPAD, c.pad}});
  if (c.repack) c.unpack.execute(convolutions_->stream(), c.w_packed, c.w);
  if (op.dw.adds()) add_to(dw, result);
}

}  // namespace adwp::cpu
