// Dense convolution as implicit GEMMs (tile_product.cuh, convolution_operands.cuh), of 1x1 kernels with
// stride 1 as plain ones (gemm.cu), for there x and dy are matrices as they stand:
//   y    (N P Q, K) = windows of x (N P Q, R S C) w^T
//   dx   (N H W, C) = gradients that reach a pixel (N H W, R S K) w, rearranged to (R S K, C)
//   dw^T (R S C, K) = windows of x, transposed (R S C, N P Q), times dy (N P Q, K)
// The last is deep and narrow: k is split, and the splits' sums are added in ascending order. A convolution
// and the batch norm behind it are one operator where the product is not split; where it is, no block holds
// whole sums.
#include "cuda/kernels/convolution_operands.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

ProductShape forward_product(const ConvShape& s) { return {s.outputs(), s.filters, s.taps() * s.channels}; }
ProductShape dgrad_product(const ConvShape& s) { return {s.inputs(), s.channels, s.taps() * s.filters}; }
// Transposed where windows are gathered; of stored matrices as dw stands.
ProductShape wgrad_product(const ConvShape& s) {
  if (s.pointwise()) return {s.filters, s.channels, s.outputs()};
  return {s.taps() * s.channels, s.filters, s.outputs()};
}

bool few_channels_have_wgrad(const GpuOptions& options, const ConvShape& shape, const ConvWgrad& op) {
  return options.level == KernelLevel::fast && has_few_channels_wgrad(shape) && op.x.dtype() == DType::f32;
}

MatrixOperand<true> weights(const Tensor& w, const ProductShape& product) {
  return {floats(w), product.k, product.n, product.k};
}

// Does every access of 16 bytes stay within a pixel of x?
template <typename X>
bool whole_chunks(const ConvShape& shape) {
  return shape.channels % vector_width<X> == 0;
}

TileMoments moments_of(const ConvBatchNormForward& op) {
  const ConvForward convolution = op.convolution();
  const ConvShape shape = shape_of(convolution);
  const Tiles tiles = op.conv.depthwise                      ? depthwise_tiles(shape)
                      : has_few_channels(shape, convolution) ? few_channels_tiles(shape)
                                                             : row_tiles(shape.outputs());
  return moments_of(tiles, shape.filters);
}

void convolve_with_moments(Stream stream, const GpuOptions& options, const ConvShape& shape,
                           const ConvBatchNormForward& op, const TileMoments& moments) {
  const ProductShape product = forward_product(shape);
  dispatch_values(op, [&]<typename X, typename Y>() {
    const OutputWithMoments<Y> out{{op.y.data<Y>(), product.n, 1, nullptr, Activation::none, false}, moments};
    if constexpr (std::is_same_v<X, Y>) {
      if (shape.pointwise()) {
        return pointwise_product(stream, options, op.x.data<X>(), input_norm(op.pending), floats(op.w), out,
                                 product);
      }
    }
    run_product<true>("conv2d_forward", stream, options, whole_chunks<X>(shape),
                      WindowOperand<X>{op.x.data<X>(), shape}, weights(op.w, product), out, product, nullptr);
  });
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

std::size_t GpuBackend::workspace(const ConvForward& op) {
  return op.conv.depthwise ? 0 : bytes_of(forward_product(shape_of(op)).scratch());
}
void GpuBackend::compute(const ConvForward& op, void* workspace) {
  if (op.conv.depthwise) return depthwise(stream(), options_.level, op);
  const ConvShape shape = shape_of(op);
  const ProductShape product = forward_product(shape);
  if (options_.level == KernelLevel::fast && has_few_channels(shape, op)) {
    return convolve_few_channels(stream(), shape, op, {});
  }
  dispatch_values(op, [&]<typename X, typename Y>() {
    const PlainOutput<Y> out{op.y.data<Y>(), product.n, 1, nullptr, Activation::none, false};
    if constexpr (std::is_same_v<X, Y>) {
      if (shape.pointwise()) {
        return pointwise_product(stream(), options_, op.x.data<X>(), input_norm(op.pending), floats(op.w),
                                 out, product, scratch(workspace));
      }
    }
    run_product<true>("conv2d_forward", stream(), options_, whole_chunks<X>(shape),
                      WindowOperand<X>{op.x.data<X>(), shape}, weights(op.w, product), out, product,
                      scratch(workspace));
  });
}

namespace {

// The parts that the kernel which makes dx leaves of a norm's sums; 0 where none are wanted, or it takes
// none.
std::int64_t parts_of_sums(const GpuOptions& options, const ConvDgrad& op) {
  if (!op.sums.defined() || op.conv.depthwise || options.level != KernelLevel::fast) return 0;
  const ConvShape shape = shape_of(op);
  const ProductShape product = dgrad_product(shape);
  return shape.pointwise() && pointwise_dgrad_takes_sums(product, op) ? product.row_tiles() : 0;
}

}  // namespace

std::size_t GpuBackend::workspace(const ConvDgrad& op) {
  const std::int64_t product = op.conv.depthwise ? 0 : dgrad_product(shape_of(op)).scratch();
  if (!op.sums.defined()) return bytes_of(product);
  const Shape& x = op.dx.tensor.shape();
  const std::int64_t parts = std::max(parts_of_sums(options_, op), reduction_parts(x.rows()));
  return bytes_of(std::max(product, parts * 2 * x.back()));
}
void GpuBackend::compute(const ConvDgrad& op, void* workspace) {
  const std::int64_t parts = parts_of_sums(options_, op);
  dgrad(op, workspace, parts > 0);
  if (!op.sums.defined()) return;
  if (parts > 0) return add_norm_sums(stream(), op.sums, scratch(workspace), parts);
  reduce_norm_sums(stream(), op.sums, op.dx.tensor, scratch(workspace));
}
void GpuBackend::dgrad(const ConvDgrad& op, void* workspace, bool sums_on_the_way) {
  if (op.conv.depthwise) return depthwise(stream(), options_.level, op);
  const ConvShape shape = shape_of(op);
  const ProductShape product = dgrad_product(shape);
  dispatch_stored(op.dx.tensor, [&]<typename T>() {
    const T* dy = op.dy.data<T>();
    const PlainOutput<T> out{op.dx.tensor.data<T>(), shape.channels, 1, nullptr,
                             Activation::none,       op.dx.adds()};
    if constexpr (std::is_same_v<T, Bf16>) {
      if (sums_on_the_way) {
        const OutputWithNormSums with_sums{out, sums_in_tiles(op.sums, scratch(workspace))};
        return pointwise_dgrad(stream(), options_, dy, floats(op.w), with_sums, product, nullptr);
      }
    }
    if (shape.pointwise()) {
      return pointwise_dgrad(stream(), options_, dy, floats(op.w), out, product, scratch(workspace));
    }
    run_product<false>(
        "conv2d_dgrad", stream(), options_, shape.channels % 4 == 0 && shape.filters % vector_width<T> == 0,
        GradientOperand<T>{dy, shape}, KernelOperand{floats(op.w), shape}, out, product, scratch(workspace));
  });
}

std::size_t GpuBackend::workspace(const ConvWgrad& op) {
  const ConvShape shape = shape_of(op);
  if (op.conv.depthwise) return bytes_of(depthwise_wgrad_scratch(shape));
  return bytes_of(few_channels_have_wgrad(options_, shape, op) ? few_channels_wgrad_scratch(shape)
                                                               : wgrad_product(shape).scratch());
}
void GpuBackend::compute(const ConvWgrad& op, void* workspace) {
  if (op.conv.depthwise) return depthwise(stream(), options_.level, op, scratch(workspace));
  const ConvShape shape = shape_of(op);
  if (few_channels_have_wgrad(options_, shape, op)) {
    return few_channels_wgrad(stream(), shape, op, scratch(workspace));
  }
  const ProductShape product = wgrad_product(shape);
  dispatch_stored(op.x, [&]<typename T>() {
    const T *dy = op.dy.data<T>(), *x = op.x.data<T>();
    if (shape.pointwise()) {
      const PlainOutput<> out{floats(op.dw), product.n, 1, nullptr, Activation::none, op.dw.adds()};
      return pointwise_wgrad(stream(), options_, dy, x, input_norm(op.pending), out, product,
                             scratch(workspace));
    }
    const Output<> out{floats(op.dw), 1, product.m, nullptr, Activation::none, op.dw.adds()};
    run_product<true>(
        "conv2d_wgrad", stream(), options_, whole_chunks<T>(shape) && shape.filters % vector_width<T> == 0,
        TransposedWindowOperand<T>{x, shape}, MatrixOperand<false, T>{dy, product.n, product.n, product.k},
        out, product, scratch(workspace));
  });
}

bool GpuBackend::fuses(const ConvForward& op) const {
  if (!op.pending.defined()) return true;
  const ConvShape shape = shape_of(op);
  if (op.conv.depthwise) return depthwise_has_code(options_.level, shape, op);
  return shape.pointwise() && op.x.dtype() == op.y.dtype() &&
         pointwise_takes_norm(options_, forward_product(shape), op.x, floats(op.w));
}
bool GpuBackend::fuses(const ConvWgrad& op) const {
  const ConvShape shape = shape_of(op);
  const bool alike = op.x.dtype() == op.dy.dtype();
  if (!op.pending.defined()) {
    return alike || (!op.conv.depthwise && few_channels_have_wgrad(options_, shape, op));
  }
  if (op.conv.depthwise) return alike && depthwise_has_code(options_.level, shape);
  return alike && shape.pointwise() &&
         pointwise_wgrad_takes_norm(options_, wgrad_product(shape), op.dy, op.x);
}
bool GpuBackend::fuses(const ConvBatchNormForward& op) const {
  const ConvForward convolution = op.convolution();
  if (!fuses(convolution)) return false;
  const ConvShape shape = shape_of(convolution);
  if (tickets_of(moments_of(op)) > most_tickets) return false;
  if (op.conv.depthwise) return depthwise_has_code(options_.level, shape, convolution);
  if (options_.level != KernelLevel::fast) return false;
  if (has_few_channels(shape, convolution)) return true;
  // In bf16 the tiled kernel has what fills no chunk, and leaves no moments.
  const bool narrow = op.x.dtype() == DType::bf16;
  return forward_product(shape).splits() == 1 && (!narrow || whole_chunks<Bf16>(shape));
}
std::size_t GpuBackend::workspace(const ConvBatchNormForward& op) {
  return bytes_of(scratch_of(moments_of(op)));
}
void GpuBackend::compute(const ConvBatchNormForward& op, void* workspace) {
  const ConvShape shape = shape_of(op.convolution());
  TileMoments moments = moments_of(op);
  moments.parts = scratch(workspace);
  moments.tickets = tickets_;
  moments.mean = floats(op.mean);
  moments.var = floats(op.var);
  if (op.conv.depthwise) {
    depthwise(stream(), options_.level, op.convolution(), moments);
  } else if (has_few_channels(shape, op.convolution())) {
    convolve_few_channels(stream(), shape, op.convolution(), moments);
  } else {
    convolve_with_moments(stream(), options_, shape, op, moments);
  }
  normalise_known(stream(), op.normalization());
}

}  // namespace adwp::ADWP_GPU
