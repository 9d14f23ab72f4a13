// The operators that every device computes.
//
// Each is a struct: its attributes and operands, the formula with shapes and units, and check(), which names
// every operand with the shape that it must have. These comments are the contract: each device and the oracle
// in tests/ obey them.
//
// Images are (N, H, W, C), kernels (K, R, S, C / groups), matrices (rows, columns); f32 unless said. Values
// that networks hand on, x, y, z, a, b and addends of convolutions, batch norm, Add, ChannelScale, Concat and
// GlobalPool (there y is f32), may lie as bf16, and gradients by them as they do: all of an operator, or all
// but the x of a convolution. A device that stores them so (Backend::storage) computes in f32 and rounds what
// it stores once; its statistics are those of y as stored. A Target is overwritten or added to, in f32 before
// the sum is rounded. docs/operator.md follows one operator through the house and adds another.
#pragma once

#include <span>
#include <string>

#include "framework/backend/draws.h"
#include "framework/backend/operands.h"
#include "framework/backend/specs.h"

namespace adwp {

struct BatchNormInference;

// --- matrix products ---------------------------------------------------------------------------------------

// c (M, N) = act(op(a) op(b) + bias), or c += op(a) op(b); op(a) is (M, K), op(b) is (K, N). bias: (N) or
// empty. A product that adds takes neither bias nor activation. Batch-invariant: the bits of a row do not
// depend on M, on a device that is able to (Backend::batch_invariant).
struct Gemm {
  static constexpr const char* name = "gemm";
  bool transpose_a = false;  // a is stored (K, M)
  bool transpose_b = false;  // b is stored (N, K)
  Tensor a, b, bias = {};
  Activation act = Activation::none;
  Target c;
  bool batch_invariant = false;

  std::int64_t m() const { return a.shape()[transpose_a ? 1 : 0]; }
  std::int64_t n() const { return b.shape()[transpose_b ? 0 : 1]; }
  std::int64_t k() const { return a.shape()[transpose_a ? 0 : 1]; }
  void check(Operands& o) const;
  double flops() const { return 2.0 * m() * n() * k(); }
  std::string text() const;
};

// sum[n] = sum_m x[m,n]; x (M, N), sum (N). The gradient of a bias.
struct ColumnSum {
  static constexpr const char* name = "column_sum";
  Tensor x;
  Target sum;
  void check(Operands& o) const {
    o.input("x", x, 2);
    o.output("sum", sum, Shape{x.shape()[1]});
    o.reduces(x.shape()[0], x.shape()[1]);
  }
};

// --- convolution (Conv2d) ----------------------------------------------------------------------------------

// A norm that a tensor has yet to go through: what BatchNormInference wants to know of it. An operator that
// has one reads its x as if that had been done. Without tensors: none. A device that applies it on the way in
// (Backend::fuses) spares the tensor a pass through memory.
struct PendingNorm {
  Tensor mean, var, scale, shift;
  float epsilon = 0;
  Activation act = Activation::none;

  bool defined() const { return mean.defined(); }
  BatchNormInference applied(const Tensor& x, const Tensor& y) const;
  void check(Operands& o, const Tensor& x) const;  // of x
};

// What BatchNormBackward begins with, made by the ConvDgrad that makes its dy, while it holds it: for dz, the
// gradient by the result of `norm` of x, and g = dz act'(that result before its activation),
//   sums (2, C): sum over rows of g, and of g times the normalised x.
struct NormSums {
  Tensor x;
  PendingNorm norm;
  Tensor sums;

  bool defined() const { return sums.defined(); }
  void check(Operands& o, const Target& dz) const;  // of a device that stores values as bf16
};

// y (N, P, Q, K) from x (N, H, W, C) and w (K, R, R, C / groups).
struct ConvForward {
  static constexpr const char* name = "conv2d_forward";
  Conv2d conv;
  Tensor x, w, y;
  PendingNorm pending = {};  // of x
  void check(Operands& o) const {
    o.input("x", x, 4, value_type(x));
    o.input("w", w, 4);
    pending.check(o, x);
    o.output("y", y, conv2d_output(conv, x.shape(), w.shape()), value_type(x, y));
  }
  double flops() const { return conv2d_flops(conv, y.shape(), w.shape()); }
  std::string text() const { return conv2d_text(conv, x.shape(), w.shape()); }
};

// dx: the gradient by x, from dy (N, P, Q, K) and w.
struct ConvDgrad {
  static constexpr const char* name = "conv2d_dgrad";
  Conv2d conv;
  Tensor dy, w;
  Target dx;
  NormSums sums = {};  // of dx
  void check(Operands& o) const {
    o.input("w", w, 4);
    o.input("dy", dy, conv2d_output(conv, dx.tensor.shape(), w.shape()), value_type(dx.tensor, dy));
    o.output("dx", dx, dx.tensor.shape(), value_type(dx.tensor));
    sums.check(o, dx);
  }
  double flops() const { return conv2d_flops(conv, dy.shape(), w.shape()); }
  std::string text() const { return conv2d_text(conv, dx.tensor.shape(), w.shape()); }
};

// dw: the gradient by w, from x and dy.
struct ConvWgrad {
  static constexpr const char* name = "conv2d_wgrad";
  Conv2d conv;
  Tensor x, dy;
  Target dw;
  PendingNorm pending = {};  // of x
  void check(Operands& o) const {
    o.input("x", x, 4, value_type(x));
    pending.check(o, x);
    o.input("dy", dy, conv2d_output(conv, x.shape(), dw.tensor.shape()), value_type(x, dy));
    o.output("dw", dw, dw.tensor.shape());
    if (x.elements() == 0) o.sum_of_nothing();
  }
  double flops() const { return conv2d_flops(conv, dy.shape(), dw.tensor.shape()); }
  std::string text() const { return conv2d_text(conv, x.shape(), dw.tensor.shape()); }
};

// --- normalisation -----------------------------------------------------------------------------------------

// Batch norm over the rows of x (..., C), with the activation in the same pass:
//   mean[c], var[c]: mean and biased variance of x[:,c], written for the backward pass;
//   y = act((x - mean) / sqrt(var + epsilon) * scale + shift).
// scale, shift, mean, var: (C).
struct BatchNormForward {
  static constexpr const char* name = "batch_norm_forward";
  Tensor x, scale, shift;
  float epsilon;
  Activation act;
  Tensor y, mean, var;
  void check(Operands& o) const {
    const Shape channels{x.shape().back()};
    o.input("x", x, value_type(x));
    o.input("scale", scale, channels);
    o.input("shift", shift, channels);
    o.output("y", y, x.shape(), value_type(x));
    o.output("mean", mean, channels);
    o.output("var", var, channels);
    o.reduces(x.shape().rows(), x.shape().back());
  }
  std::string text() const { return x.shape().text(); }
};

// The gradient of the above, through the statistics.
struct BatchNormBackward {
  static constexpr const char* name = "batch_norm_backward";
  Tensor dy, x, mean, var, scale, shift;
  float epsilon;
  Activation act;
  Target dx, dscale, dshift;
  Tensor sums = {};  // where there already are some (NormSums)
  void check(Operands& o) const {
    const Shape channels{x.shape().back()};
    o.input("x", x, value_type(x));
    o.input("scale", scale, channels);
    o.input("shift", shift, channels);
    o.input("mean", mean, channels);
    o.input("var", var, channels);
    o.input("dy", dy, x.shape(), value_type(x));
    o.output("dx", dx, x.shape(), value_type(x));
    o.output("dscale", dscale, channels);
    o.output("dshift", dshift, channels);
    if (sums.defined()) o.input("sums", sums, Shape{2, x.shape().back()});
    o.reduces(x.shape().rows(), x.shape().back());
  }
  std::string text() const { return x.shape().text(); }
};

// The formula of BatchNormForward with given statistics; then + addend, of x's shape, where there is one.
struct BatchNormInference {
  static constexpr const char* name = "batch_norm_inference";
  Tensor x, mean, var, scale, shift;
  float epsilon;
  Activation act;
  Tensor y;
  Tensor addend = {};
  void check(Operands& o) const {
    const Shape channels{x.shape().back()};
    o.input("x", x, value_type(x));
    o.input("scale", scale, channels);
    o.input("shift", shift, channels);
    o.input("mean", mean, channels);
    o.input("var", var, channels);
    if (addend.defined()) o.input("addend", addend, x.shape(), value_type(x));
    o.output("y", y, x.shape(), value_type(x));
  }
};

// ConvForward of x and w to y, then BatchNormForward of y to z. A device that fuses the two (Backend::fuses)
// takes the statistics from the sums that the convolution holds and does not read y again for them. Without z
// the norm of y stays pending: mean and var are all that is wanted of it.
struct ConvBatchNormForward {
  static constexpr const char* name = "conv2d_batch_norm_forward";
  Conv2d conv;
  Tensor x, w, scale, shift;
  float epsilon;
  Activation act;
  Tensor y, z, mean, var;
  PendingNorm pending = {};  // of x

  ConvForward convolution() const { return {conv, x, w, y, pending}; }
  BatchNormForward normalization() const { return {y, scale, shift, epsilon, act, z, mean, var}; }
  void check(Operands& o) const {
    const Shape channels{y.shape().back()};
    o.input("x", x, 4, value_type(x));
    o.input("w", w, 4);
    o.input("scale", scale, channels);
    o.input("shift", shift, channels);
    pending.check(o, x);
    o.output("y", y, conv2d_output(conv, x.shape(), w.shape()), value_type(x, y));
    if (z.defined()) o.output("z", z, y.shape(), value_type(y));
    o.output("mean", mean, channels);
    o.output("var", var, channels);
  }
  double flops() const { return conv2d_flops(conv, y.shape(), w.shape()); }
  std::string text() const { return conv2d_text(conv, x.shape(), w.shape()); }
};

// The gradient of the above: BatchNormBackward of dz to a gradient of y, from it ConvWgrad to dw and, where
// dx is given, ConvDgrad to dx. A device that fuses them (Backend::fuses) need not keep the gradient of y.
struct ConvBatchNormBackward {
  static constexpr const char* name = "conv2d_batch_norm_backward";
  Conv2d conv;
  Tensor dz, x, w, y, mean, var, scale, shift;
  float epsilon;
  Activation act;
  Target dx, dw, dscale, dshift;  // dx may be empty
  PendingNorm pending = {};       // of x
  Tensor sums = {};               // of the norm, where there already are some
  Tensor input_sums = {};         // where those of dx are to go, for the norm that is pending

  BatchNormBackward normalization(const Tensor& dy) const {
    return {dz, y, mean, var, scale, shift, epsilon, act, {dy}, dscale, dshift, sums};
  }
  NormSums sums_of_input() const {
    return input_sums.defined() ? NormSums{x, pending, input_sums} : NormSums{};
  }
  void check(Operands& o) const;
  double flops() const { return conv2d_flops(conv, y.shape(), w.shape()) * (dx.tensor.defined() ? 2 : 1); }
  std::string text() const { return conv2d_text(conv, x.shape(), w.shape()); }
};

// Convolutions in a row with given statistics, as evaluation has them, then perhaps a sum:
//   z_0 = x; z_i = BatchNormInference of ConvForward of z_(i-1); y = z_n, + residual where there is one.
// A device that fuses the chain (Backend::fuses) takes a few images through all of it at a time, while they
// lie in its cache, and keeps no z.
struct ConvChain {
  static constexpr const char* name = "conv2d_chain";
  struct Layer {
    Conv2d conv;
    Tensor w, mean, var, scale, shift;
    Activation act;
    Shape output(const Shape& input) const { return conv2d_output(conv, input, w.shape()); }
  };
  std::span<const Layer> layers;  // at least one
  Tensor x, residual = {};
  float epsilon;
  Tensor y;

  void check(Operands& o) const;
  double flops() const;
  std::string text() const;
};

// Layer norm over each row of x (M, N), without scale and shift:
//   y = act((x - mean_m) / sqrt(var_m + epsilon)); mean and inverse = 1 / sqrt(var + epsilon): (M).
struct LayerNormForward {
  static constexpr const char* name = "layer_norm_forward";
  Tensor x;
  float epsilon;
  Activation act;
  Tensor y, mean, inverse;
  void check(Operands& o) const {
    o.input("x", x, 2);
    o.output("y", y, x.shape());
    o.output("mean", mean, Shape{x.shape()[0]});
    o.output("inverse", inverse, Shape{x.shape()[0]});
  }
};

struct LayerNormBackward {
  static constexpr const char* name = "layer_norm_backward";
  Tensor dy, x, mean, inverse;
  Activation act;
  Target dx;
  void check(Operands& o) const {
    o.input("x", x, 2);
    o.input("dy", dy, x.shape());
    o.input("mean", mean, Shape{x.shape()[0]});
    o.input("inverse", inverse, Shape{x.shape()[0]});
    o.output("dx", dx, x.shape());
  }
};

// --- elementwise -------------------------------------------------------------------------------------------

// y = act(x), as framework/backend/activation.h has it.
struct ActivationForward {
  static constexpr const char* name = "activation_forward";
  Activation act;
  Tensor x, y;
  void check(Operands& o) const {
    o.input("x", x);
    o.output("y", y, x.shape());
  }
};

// dx = dy act'(x). At a kink the gradient is that of the left side (0 for relu at 0).
struct ActivationBackward {
  static constexpr const char* name = "activation_backward";
  Activation act;
  Tensor x, dy;
  Target dx;
  void check(Operands& o) const {
    o.input("x", x);
    o.input("dy", dy, x.shape());
    o.output("dx", dx, x.shape());
  }
};

// y = a + b.
struct Add {
  static constexpr const char* name = "add";
  Tensor a, b, y;
  void check(Operands& o) const {
    o.input("a", a, value_type(a));
    o.input("b", b, a.shape(), value_type(a));
    o.output("y", y, a.shape(), value_type(a));
  }
};

// dx = or += dy; dx in f32 of either.
struct CopyGradient {
  static constexpr const char* name = "copy_gradient";
  Tensor dy;
  Target dx;
  void check(Operands& o) const {
    o.input("dy", dy, value_type(dx.tensor, dy));
    o.output("dx", dx, dy.shape(), value_type(dx.tensor));
  }
};

// y[n,h,w,c] = x[n,h,w,c] * s[n,0,0,c]; s: (N, 1, 1, C).
struct ChannelScaleForward {
  static constexpr const char* name = "channel_scale_forward";
  Tensor x, s, y;
  void check(Operands& o) const {
    o.input("x", x, 4, value_type(x));
    o.input("s", s, Shape{x.shape()[0], 1, 1, x.shape()[3]});
    o.output("y", y, x.shape(), value_type(x));
  }
};

// dx = dy s; ds[n,c] = sum over h and w of dy x.
struct ChannelScaleBackward {
  static constexpr const char* name = "channel_scale_backward";
  Tensor dy, x, s;
  Target dx, ds;
  void check(Operands& o) const {
    o.input("x", x, 4, value_type(x));
    o.input("s", s, Shape{x.shape()[0], 1, 1, x.shape()[3]});
    o.input("dy", dy, x.shape(), value_type(x));
    o.output("dx", dx, x.shape(), value_type(x));
    o.output("ds", ds, s.shape());
  }
};

// --- channels ----------------------------------------------------------------------------------------------

// y = [a | b] along the last axis.
struct ConcatForward {
  static constexpr const char* name = "concat_forward";
  Tensor a, b, y;
  void check(Operands& o) const {
    const Shape& s = a.shape();
    o.input("a", a, 4, value_type(a));
    o.input("b", b, Shape{s[0], s[1], s[2], b.shape()[3]}, value_type(a));
    o.output("y", y, Shape{s[0], s[1], s[2], s[3] + b.shape()[3]}, value_type(a));
  }
};

// The channels of dy from `channel` on, as many as dx has, back into dx.
struct ConcatBackward {
  static constexpr const char* name = "concat_backward";
  Tensor dy;
  std::int64_t channel;
  Target dx;
  void check(Operands& o) const;
};

// --- pooling -----------------------------------------------------------------------------------------------

// (N, H, W, C) -> (N, 1, 1, C), the mean over the image.
struct GlobalPoolForward {
  static constexpr const char* name = "global_pool_forward";
  Tensor x, y;
  void check(Operands& o) const;
};

struct GlobalPoolBackward {
  static constexpr const char* name = "global_pool_backward";
  Tensor dy;
  Target dx;
  void check(Operands& o) const {
    const Shape& s = dx.tensor.shape();
    o.input("dy", dy, Shape{s[0], 1, 1, s[3]});
    o.output("dx", dx, s, value_type(dx.tensor));
  }
};

// --- loss --------------------------------------------------------------------------------------------------

// What rows of logits (N, classes) are trained towards: p = softmax(logits) towards
//   t = (1 - smoothing) (share onehot(label) + (1 - share) onehot(other)) + smoothing / classes,
// and, with a teacher, softmax(logits / T) towards q = softmax(teacher / T).
struct ClassTargets {
  Tensor labels;  // i32 (N)
  float smoothing = 0;
  Tensor others = {}, share = {};  // i32 and f32 (N); both empty: all shares are 1
  Tensor teacher = {};             // logits (N, classes); empty: none
  float temperature = 1;           // T
  float teaching = 0;              // w, of the teacher
};

// loss (1) = mean over the batch of (1 - w) H(t, p) + w T^2 KL(q || softmax(logits / T)), H the cross-entropy
// (distillation: Hinton et al., 2015); without a teacher, of H(t, p).
struct CrossEntropyForward {
  static constexpr const char* name = "cross_entropy_forward";
  Tensor logits;
  ClassTargets targets;
  Tensor loss;
  void check(Operands& o) const;
};

// dlogits = dloss * ((1 - w) (p - t) + w T (softmax(logits / T) - q)) / N; dloss: (1).
struct CrossEntropyBackward {
  static constexpr const char* name = "cross_entropy_backward";
  Tensor dloss, logits;
  ClassTargets targets;
  Target dlogits;
  void check(Operands& o) const;
};

// score (2) += {sum of cross-entropy without smoothing, number of hits}. A hit: the label's logit is the
// first maximum of its row. The counters stay on the device until a search reads them.
struct CountHits {
  static constexpr const char* name = "count_hits";
  Tensor logits, labels, score;
  void check(Operands& o) const;
};

// --- the HyperNetwork's operators --------------------------------------------------------------------------

// y[i] = sum_t table_t[index[i,t]]; up to three tables (V_t, D), index i32 (M, tables), y (M, D).
struct EmbeddingSum {
  static constexpr const char* name = "embedding_sum";
  static constexpr std::size_t most_tables = 3;
  std::span<const Tensor> tables;
  Tensor index, y;
  void check(Operands& o) const;
};

// The gradients of the tables above. Their entries are numbered through, one table after the other, V of
// them; that of entry v is the sum of dy[i] over the row list of v: the rows that have taken it, in ascending
// order. rows: i32 (V + 1 + M tables), where the list of v lies from rows[v] to before rows[v + 1] of what
// follows the first V + 1 numbers. dy (M, D).
struct EmbeddingBackward {
  static constexpr const char* name = "embedding_backward";
  Tensor dy, rows;
  std::span<const Target> dtables;  // (V_t, D) each

  std::int64_t entries() const;  // V
  void check(Operands& o) const;
};

// Cuts pieces out of tiles (TilePiece). pieces: i32 (n, 12); the caller guarantees that all indices lie
// inside source and out and that no two pieces share an element of either.
struct Assemble {
  static constexpr const char* name = "assemble";
  Tensor source, pieces;
  Target out;
  void check(Operands& o) const;
};

// dsource[...] += scale * dout[...]; where dsource is overwritten, elements that no piece uses become 0.
struct AssembleBackward {
  static constexpr const char* name = "assemble_backward";
  Tensor dout, pieces;
  Target dsource;
  void check(Operands& o) const;
};

// --- flat buffers ------------------------------------------------------------------------------------------

// sum (1) = sum of x^2.
struct SumOfSquares {
  static constexpr const char* name = "sum_of_squares";
  Tensor x, sum;
  void check(Operands& o) const {
    o.input("x", x);
    o.output("sum", sum, Shape{1});
    o.reduces(x.elements(), 1);
  }
};

// g = gradient * min(1, max_norm / sqrt(norm2)); v = momentum v + g;
// p -= lr (nesterov ? g + momentum v : v) + lr weight_decay p (decayed part). norm2: (1), all others (n).
struct SgdStep {
  static constexpr const char* name = "sgd_step";
  SgdRule rule;
  Tensor gradient, norm2, velocity, parameter;
  void check(Operands& o) const {
    const Shape flat{parameter.elements()};
    o.input("gradient", gradient, flat);
    o.input("norm2", norm2, Shape{1});
    o.output("parameter", parameter, flat);
    o.output("velocity", velocity, flat);
  }
};

// AdamW (Loshchilov & Hutter 2019), decay decoupled and times lr; norm2 and clipping as above. Lazy:
// elements with gradient 0 stay as they are (SparseAdam of PyTorch).
struct AdamWStep {
  static constexpr const char* name = "adamw_step";
  AdamWRule rule;
  Tensor gradient, norm2, first, second, parameter;
  void check(Operands& o) const;
};

// target += t (source - target). Running statistics.
struct Lerp {
  static constexpr const char* name = "lerp";
  Tensor source;
  float t;
  Tensor target;
  void check(Operands& o) const {
    o.input("source", source);
    o.output("target", target, source.shape());
  }
};

// --- data --------------------------------------------------------------------------------------------------

// Batch row b is stored image index[b]: images u8 (N, H, W, C <= 4), labels i32 (N), index i32 (B),
// x (B, H, W, C), y i32 (B). Normalised first, then shifted and cut out with zeros (so zero is the mean
// colour), all with random numbers
//   r = Philox({0, augment, epoch lo, epoch hi} with counter word 0 = index[b], key = seed):
//   flip if r0 & 1; shift dy = (r1 >> 16) % (2 shift + 1) - shift, dx = (r1 & 0xffff) % .. - shift;
//   cutout centre row (r2 >> 16) % H, column (r2 & 0xffff) % W, rows centre - side/2 .. + side-1.
// Flip first, then shift (output (i,j) reads input (i+dy, j+dx)), then cutout in output positions.
// `gathered`: images are (B, H, W, C), row b being stored image index[b], changed already.
struct LoadBatch {
  static constexpr const char* name = "load_batch";
  Tensor images, labels, index;
  PixelNorm norm;
  Augmentation augmentation;
  AugmentKey key;
  Tensor x, y;
  bool gathered = false;
  void check(Operands& o) const;
};

// Row b of y u8 (B, H, W, C) is stored image index[b] of images u8 (N, H, W, C <= 4), changed as draw_trivial
// says (framework/backend/trivial_augment.h).
struct TrivialAugment {
  static constexpr const char* name = "trivial_augment";
  Tensor images, index;
  AugmentKey key;
  Tensor y;
  void check(Operands& o) const;
};

// y (B, h, w, C) = x (B, H, W, C) made smaller, h <= H and w <= W: a pixel of y is the mean of x over the
// pixel's area, in which pixels of x lie in parts (overlap, framework/backend/specs.h).
struct ShrinkImages {
  static constexpr const char* name = "shrink_images";
  Tensor x, y;
  void check(Operands& o) const;
};

// Row b, of stored image index[b], is mixed with row o = B - 1 - b as draw_mixture
// (framework/backend/draws.h) says: y[b] = share x[b] + (1 - share) x[o], or x[o] in the box and x[b] around
// it; share[b] is the part of image b, others[b] = labels[o]. x and y (B, H, W, C), index, labels and others
// i32 (B), share (B).
struct MixImages {
  static constexpr const char* name = "mix_images";
  Tensor x, labels, index;
  Mixing mixing;
  AugmentKey key;
  Tensor y, others, share;
  void check(Operands& o) const;
};

// Row b of x (B, H, W, C), of stored image index[b], becomes 0 inside the box of draw_erased.
struct EraseBoxes {
  static constexpr const char* name = "erase_boxes";
  Tensor index;
  float probability;
  AugmentKey key;
  Tensor x;
  void check(Operands& o) const;
};

// mask (rows, 1, 1, columns) = draw_kept of its row (drop path: Huang et al., 2016), or of its element
// (dropout). Multiplied to a value by ChannelScale.
struct DrawMask {
  static constexpr const char* name = "draw_mask";
  float keep;  // in (0, 1]
  bool by_row;
  DropKey key;
  Tensor mask;
  void check(Operands& o) const;
};

// --- all of them -------------------------------------------------------------------------------------------

// The one list of operators that a device must compute: it makes Backend's virtual methods and their
// overrides.
// clang-format off
#define ADWP_OPERATORS(X)                                                                           \
  X(Gemm) X(ColumnSum) X(ConvForward) X(ConvDgrad) X(ConvWgrad) X(BatchNormForward)                 \
  X(BatchNormBackward) X(BatchNormInference) X(LayerNormForward) X(LayerNormBackward)               \
  X(ActivationForward) X(ActivationBackward) X(Add) X(CopyGradient) X(ChannelScaleForward)          \
  X(ChannelScaleBackward) X(ConcatForward) X(ConcatBackward) X(GlobalPoolForward)                   \
  X(GlobalPoolBackward) X(CrossEntropyForward) X(CrossEntropyBackward) X(CountHits) X(EmbeddingSum) \
  X(EmbeddingBackward) X(Assemble) X(AssembleBackward) X(SumOfSquares) X(SgdStep) X(AdamWStep)      \
  X(Lerp) X(LoadBatch) X(TrivialAugment) X(ShrinkImages) X(MixImages) X(EraseBoxes) X(DrawMask)
// clang-format on

}  // namespace adwp
