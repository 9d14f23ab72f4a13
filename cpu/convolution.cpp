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

std::size_t CpuBackend::workspace(const ConvForward& op) {
  return bytes_for(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), false);
}
std::size_t CpuBackend::workspace(const ConvDgrad& op) {
  return bytes_for(ConvPass::dgrad, op.conv, op.dx.tensor.shape(), op.w.shape(), op.dx.adds());
}
std::size_t CpuBackend::workspace(const ConvWgrad& op) {
  return bytes_for(ConvPass::wgrad, op.conv, op.x.shape(), op.dw.tensor.shape(), op.dw.adds());
}

std::size_t CpuBackend::bytes_for(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w, bool adds) {
  if (x.elements() == 0 || w.elements() == 0) return 0;
  if (conv.depthwise) return depthwise_workspace(pass, conv, x);
  return convolutions_->get(pass, conv, x, w, adds).bytes;
}

void CpuBackend::compute(const ConvForward& op, void* workspace) {
  if (op.conv.depthwise) return depthwise_forward(op, workspace);
  Convolution& c = convolutions_->get(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), false);
  dnnl::stream& stream = convolutions_->stream();
  c.x.set_data_handle(op.x.address());
  c.y.set_data_handle(op.y.address());
  c.w.set_data_handle(op.w.address());
  c.w_packed.set_data_handle(c.repack ? at(workspace, c.packed_offset) : op.w.address());
  c.pad.set_data_handle(at(workspace, c.scratchpad_offset));
  if (c.repack) c.pack.execute(stream, c.w, c.w_packed);
  c.primitive.execute(stream, {{DNNL_ARG_SRC, c.x},
                               {DNNL_ARG_WEIGHTS, c.w_packed},
                               {DNNL_ARG_DST, c.y},
                               {DNNL_ARG_SCRATCHPAD, c.pad}});
}

void CpuBackend::compute(const ConvDgrad& op, void* workspace) {
  if (op.conv.depthwise) return depthwise_dgrad(op, workspace);
  const Tensor& dx = op.dx.tensor;
  const bool separate = op.dx.adds();
  Convolution& c = convolutions_->get(ConvPass::dgrad, op.conv, dx.shape(), op.w.shape(), separate);
  dnnl::stream& stream = convolutions_->stream();
  void* result = separate ? at(workspace, c.result_offset) : dx.address();
  c.x.set_data_handle(result);
  c.y.set_data_handle(op.dy.address());
  c.w.set_data_handle(op.w.address());
  c.w_packed.set_data_handle(c.repack ? at(workspace, c.packed_offset) : op.w.address());
  c.pad.set_data_handle(at(workspace, c.scratchpad_offset));
  if (c.repack) c.pack.execute(stream, c.w, c.w_packed);
  c.primitive.execute(stream, {{DNNL_ARG_DIFF_DST, c.y},
                               {DNNL_ARG_WEIGHTS, c.w_packed},
                               {DNNL_ARG_DIFF_SRC, c.x},
                               {DNNL_ARG_SCRATCHPAD, c.pad}});
  if (separate) sum_into(static_cast<const float*>(result), dx);
}

void CpuBackend::compute(const ConvWgrad& op, void* workspace) {
  if (op.conv.depthwise) return depthwise_wgrad(op, workspace);
  const Tensor& dw = op.dw.tensor;
  const bool separate = op.dw.adds();
  Convolution& c = convolutions_->get(ConvPass::wgrad, op.conv, op.x.shape(), dw.shape(), separate);
  dnnl::stream& stream = convolutions_->stream();
  void* result = separate ? at(workspace, c.result_offset) : dw.address();
  c.x.set_data_handle(op.x.address());
  c.y.set_data_handle(op.dy.address());
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
