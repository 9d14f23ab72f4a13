// What the checks of operators say, and how a profile names their calls.
#include "framework/backend/operators.h"

#include "framework/backend/operands.h"
#include "framework/backend/specs.h"
#include "framework/core/error.h"

namespace adwp {

Shape conv2d_output(const Conv2d& conv, const Shape& x, const Shape& w) {
  require(x.rank() == 4, "conv2d", "wrong rank, got x {}, expected (N, H, W, C)", x.text());
  require(conv.kernel >= 1 && conv.stride >= 1 && conv.padding >= 0 && conv.padding < conv.kernel, "conv2d",
          "bad window, got kernel {}, stride {}, padding {}, expected padding < kernel", conv.kernel,
          conv.stride, conv.padding);
  require(x[1] + 2 * conv.padding >= conv.kernel && x[2] + 2 * conv.padding >= conv.kernel, "conv2d",
          "image smaller than the window, got x {}, kernel {}, padding {}", x.text(), conv.kernel,
          conv.padding);
  const Shape expected{conv.depthwise ? x[3] : w[0], conv.kernel, conv.kernel, conv.depthwise ? 1 : x[3]};
  require(w == expected, "conv2d", "kernel does not fit, got w {}, expected {} for x {}", w.text(),
          expected.text(), x.text());
  return Shape{x[0], conv.out_size(x[1]), conv.out_size(x[2]), w[0]};
}

double conv2d_flops(const Conv2d& conv, const Shape& y, const Shape& w) {
  return 2.0 * y.elements() * conv.kernel * conv.kernel * w[3];
}

std::string conv2d_text(const Conv2d& conv, const Shape& x, const Shape& w) {
  return fmt::format("{}{}x{} s{} {} -> {}", conv.depthwise ? "depthwise " : "", conv.kernel, conv.kernel,
                     conv.stride, x.text(), w[0]);
}

void Operands::input(const char* operand, const Tensor& tensor, const Shape& shape, DType dtype) {
  require(tensor.defined() && tensor.shape() == shape && tensor.dtype() == dtype, name_,
          "{} does not fit, got {}, expected {} {}", operand, tensor.text(), name_of(dtype), shape.text());
  count(tensor);
}

void Operands::input(const char* operand, const Tensor& tensor, int rank, DType dtype) {
  require(tensor.defined() && tensor.shape().rank() == rank && tensor.dtype() == dtype, name_,
          "{} does not fit, got {}, expected {} of rank {}", operand, tensor.text(), name_of(dtype), rank);
  count(tensor);
}

void Operands::input(const char* operand, const Tensor& tensor, DType dtype) {
  require(tensor.defined() && tensor.dtype() == dtype, name_, "{} does not fit, got {}, expected {}", operand,
          tensor.text(), name_of(dtype));
  count(tensor);
}

void Operands::output(const char* operand, const Tensor& tensor, const Shape& shape, DType dtype) {
  input(operand, tensor, shape, dtype);
  written(tensor);
}

void Operands::output(const char* operand, const Tensor& tensor, DType dtype) {
  input(operand, tensor, dtype);
  written(tensor);
}

void Operands::output(const char* operand, const Target& target, const Shape& shape, DType dtype) {
  input(operand, target.tensor, shape, dtype);
  written(target);
}

void Operands::output(const char* operand, const Target& target) {
  input(operand, target.tensor);
  written(target);
}

void Operands::written(const Tensor& tensor) {
  if (main_ == nullptr) main_ = &tensor;
}

void Operands::written(const Target& target) {
  written(target.tensor);
  require(target_count_ < most_targets, name_, "more than {} targets", most_targets);
  targets_[target_count_++] = &target;
}

void Operands::zero_targets() const {
  for (int i = 0; i < target_count_; ++i) {
    if (!targets_[i]->adds()) targets_[i]->tensor.zero();
  }
}

namespace {

void check_classification(Operands& o, const Tensor& logits, const Tensor& labels) {
  o.input("logits", logits, 2);
  require(logits.shape()[1] > 0, o.name(), "no classes, got logits {}", logits.text());
  o.input("labels", labels, Shape{logits.shape()[0]}, DType::i32);
}

void check_targets(Operands& o, const Tensor& logits, const ClassTargets& targets) {
  check_classification(o, logits, targets.labels);
  const Shape rows{logits.shape()[0]};
  if (targets.others.defined() || targets.share.defined()) {
    o.input("others", targets.others, rows, DType::i32);
    o.input("share", targets.share, rows);
  }
  if (!targets.teacher.defined()) return;
  o.input("teacher", targets.teacher, logits.shape());
  require(targets.temperature > 0 && targets.teaching >= 0 && targets.teaching <= 1, o.name(),
          "got temperature {}, weight {} of the teacher, expected more than 0, and 0 to 1",
          targets.temperature, targets.teaching);
}

// Images of which a batch is made are not counted as read: only some of them are.
void check_stored(const char* name, const Tensor& images) {
  require(images.defined() && images.shape().rank() == 4 && images.dtype() == DType::u8, name,
          "images do not fit, got {}, expected u8 of rank 4", images.text());
  const std::int64_t channels = images.shape()[3];
  require(channels >= 1 && channels <= 4, name, "got {} channels, expected 1 to 4", channels);
}

// A batch of images, and the numbers of the stored ones.
void check_batch(Operands& o, const Tensor& x, const Tensor& index) {
  o.input("x", x, 4);
  o.input("index", index, Shape{x.shape()[0]}, DType::i32);
}

void check_pieces(Operands& o, const Tensor& pieces) {
  o.input("pieces", pieces, 2, DType::i32);
  require(pieces.shape()[1] == sizeof(TilePiece) / sizeof(std::int32_t), o.name(),
          "pieces do not fit, got {}, expected {} numbers each", pieces.text(),
          sizeof(TilePiece) / sizeof(std::int32_t));
}

}  // namespace

BatchNormInference PendingNorm::applied(const Tensor& x, const Tensor& y) const {
  return {x, mean, var, scale, shift, epsilon, act, y};
}

void PendingNorm::check(Operands& o, const Tensor& x) const {
  if (!defined()) return;
  const Shape channels{x.shape().back()};
  for (const auto& [operand, tensor] : {std::pair{"pending mean", &mean},
                                        {"pending var", &var},
                                        {"pending scale", &scale},
                                        {"pending shift", &shift}}) {
    o.input(operand, *tensor, channels);
  }
}

void NormSums::check(Operands& o, const Target& dz) const {
  if (!defined()) return;
  require(norm.defined() && !dz.adds(), o.name(), "sums are those of a gradient by a norm, in one piece");
  o.input("normed x", x, dz.tensor.shape(), DType::bf16);
  norm.check(o, x);
  o.output("sums", sums, Shape{2, x.shape().back()});
}

void ConvBatchNormBackward::check(Operands& o) const {
  const Shape channels{y.shape().back()};
  o.input("x", x, 4, value_type(x));
  pending.check(o, x);
  o.input("w", w, 4);
  o.input("y", y, conv2d_output(conv, x.shape(), w.shape()), value_type(x, y));
  o.input("dz", dz, y.shape(), value_type(y));
  for (const auto& [operand, tensor] :
       {std::pair{"mean", &mean}, {"var", &var}, {"scale", &scale}, {"shift", &shift}}) {
    o.input(operand, *tensor, channels);
  }
  o.output("dw", dw, w.shape());
  if (dx.tensor.defined()) o.output("dx", dx, x.shape(), value_type(x));
  o.output("dscale", dscale, channels);
  o.output("dshift", dshift, channels);
  if (sums.defined()) o.input("sums", sums, Shape{2, y.shape().back()});
  sums_of_input().check(o, dx);
  if (x.elements() == 0) o.sum_of_nothing();
}

void ConvChain::check(Operands& o) const {
  require(!layers.empty(), name, "no layers");
  o.input("x", x, 4, value_type(x));
  Shape shape = x.shape();
  for (const Layer& layer : layers) {
    o.input("w", layer.w, 4);
    shape = layer.output(shape);
    const Shape channels{shape.back()};
    o.input("mean", layer.mean, channels);
    o.input("var", layer.var, channels);
    o.input("scale", layer.scale, channels);
    o.input("shift", layer.shift, channels);
  }
  if (residual.defined()) o.input("residual", residual, shape, value_type(y));
  o.output("y", y, shape, value_type(x, y));
}

double ConvChain::flops() const {
  double sum = 0;
  Shape shape = x.shape();
  for (const Layer& layer : layers) {
    shape = layer.output(shape);
    sum += conv2d_flops(layer.conv, shape, layer.w.shape());
  }
  return sum;
}

std::string ConvChain::text() const {
  std::string all;
  Shape shape = x.shape();
  for (const Layer& layer : layers) {
    all += (all.empty() ? "" : ", ") + conv2d_text(layer.conv, shape, layer.w.shape());
    shape = layer.output(shape);
  }
  return all;
}

void Gemm::check(Operands& o) const {
  o.input("a", a, 2);
  o.input("b", b, transpose_b ? Shape{n(), k()} : Shape{k(), n()});
  if (bias.defined()) o.input("bias", bias, Shape{n()});
  o.output("c", c, Shape{m(), n()});
  require(!c.adds() || (!bias.defined() && act == Activation::none), name,
          "accumulation takes neither bias nor activation");
  if (k() == 0 && !bias.defined()) o.sum_of_nothing();
}

std::string Gemm::text() const { return fmt::format("{} x {} x {}", m(), n(), k()); }

void ConcatBackward::check(Operands& o) const {
  const Shape& s = dy.shape();
  const std::int64_t channels = dx.tensor.shape()[3];
  o.input("dy", dy, 4, value_type(dy));
  o.output("dx", dx, Shape{s[0], s[1], s[2], channels}, value_type(dy));
  require(channel >= 0 && channel + channels <= s[3], name, "channels out of range, got {} from {} on, of {}",
          channels, channel, dy.text());
}

void GlobalPoolForward::check(Operands& o) const {
  o.input("x", x, 4, value_type(x));
  require(x.shape()[1] * x.shape()[2] > 0, name, "no pixels, got x {}", x.text());
  o.output("y", y, Shape{x.shape()[0], 1, 1, x.shape()[3]});
}

void CrossEntropyForward::check(Operands& o) const {
  check_targets(o, logits, targets);
  require(logits.shape()[0] > 0, name, "the mean over an empty batch, got {}", logits.text());
  o.output("loss", loss, Shape{1});
  o.reduces(logits.shape()[0], 2);
}

void CrossEntropyBackward::check(Operands& o) const {
  check_targets(o, logits, targets);
  o.input("dloss", dloss, Shape{1});
  o.output("dlogits", dlogits, logits.shape());
}

void CountHits::check(Operands& o) const {
  check_classification(o, logits, labels);
  o.output("score", score, Shape{2});
  o.reduces(logits.shape()[0], 2);
  if (logits.shape()[0] == 0) o.sum_of_nothing();
}

void EmbeddingSum::check(Operands& o) const {
  require(!tables.empty() && tables.size() <= most_tables, name, "got {} tables, expected 1 to {}",
          tables.size(), most_tables);
  o.output("y", y, Shape{index.shape()[0], tables[0].shape()[1]});
  o.input("index", index, Shape{y.shape()[0], std::int64_t(tables.size())}, DType::i32);
  for (const Tensor& table : tables) o.input("table", table, Shape{table.shape()[0], y.shape()[1]});
}

std::int64_t EmbeddingBackward::entries() const {
  std::int64_t sum = 0;
  for (const Target& dtable : dtables) sum += dtable.tensor.shape()[0];
  return sum;
}

void EmbeddingBackward::check(Operands& o) const {
  const std::int64_t count = dtables.size();
  require(count > 0 && count <= std::int64_t{EmbeddingSum::most_tables}, name,
          "got {} tables, expected 1 to {}", count, EmbeddingSum::most_tables);
  o.input("dy", dy, 2);
  for (const Target& dtable : dtables) {
    o.output("dtable", dtable, Shape{dtable.tensor.shape()[0], dy.shape()[1]});
  }
  o.input("rows", rows, Shape{entries() + 1 + dy.shape()[0] * count}, DType::i32);
}

void Assemble::check(Operands& o) const {
  o.input("source", source);
  check_pieces(o, pieces);
  o.output("out", out);
  if (pieces.elements() == 0) o.sum_of_nothing();
}

void AssembleBackward::check(Operands& o) const {
  o.input("dout", dout);
  check_pieces(o, pieces);
  o.output("dsource", dsource);
  if (pieces.elements() == 0) o.sum_of_nothing();
}

void AdamWStep::check(Operands& o) const {
  const Shape flat{parameter.elements()};
  o.input("gradient", gradient, flat);
  o.input("norm2", norm2, Shape{1});
  o.output("parameter", parameter, flat);
  o.output("first moment", first, flat);
  o.output("second moment", second, flat);
  require(rule.step >= 1, name, "got step {}, expected 1 or more", rule.step);
}

void TrivialAugment::check(Operands& o) const {
  check_stored(name, images);
  const Shape& stored = images.shape();
  o.input("index", index, 1, DType::i32);
  o.output("y", y, Shape{index.shape()[0], stored[1], stored[2], stored[3]}, DType::u8);
}

void LoadBatch::check(Operands& o) const {
  check_stored(name, images);
  const Shape& stored = images.shape();
  o.input("index", index, 1, DType::i32);
  require(labels.defined() && labels.shape().rank() == 1 && labels.dtype() == DType::i32 &&
              (gathered || labels.shape() == Shape{stored[0]}),
          name, "labels do not fit, got {}, expected i32 ({})", labels.text(), stored[0]);
  require(!gathered || stored[0] == index.shape()[0], name, "got {} images, expected {}", stored[0],
          index.shape()[0]);
  require(augmentation.shift >= 0 && augmentation.cutout >= 0, name,
          "negative augmentation, got shift {}, cutout {}", augmentation.shift, augmentation.cutout);
  o.output("x", x, Shape{index.shape()[0], stored[1], stored[2], stored[3]});
  o.output("y", y, Shape{index.shape()[0]}, DType::i32);
}

void MixImages::check(Operands& o) const {
  check_batch(o, x, index);
  const Shape rows{x.shape()[0]};
  o.input("labels", labels, rows, DType::i32);
  o.output("y", y, x.shape());
  o.output("others", others, rows, DType::i32);
  o.output("share", share, rows);
  require(mixing.mixup >= 0 && mixing.mixup <= 2 && mixing.cutmix >= 0 && mixing.cutmix <= 2, name,
          "got Beta distributions of {} and {}, expected 0 to 2", mixing.mixup, mixing.cutmix);
}

void ShrinkImages::check(Operands& o) const {
  o.output("y", y);
  o.input("x", x, 4);
  const Shape &large = x.shape(), &small = y.shape();
  require(small.rank() == 4 && small[0] == large[0] && small[3] == large[3] && small[1] >= 1 &&
              small[2] >= 1 && small[1] <= large[1] && small[2] <= large[2],
          name, "y does not fit, got {}, expected {} with smaller images", y.text(), x.text());
}

void EraseBoxes::check(Operands& o) const {
  o.output("x", x);
  check_batch(o, x, index);
}

void DrawMask::check(Operands& o) const {
  o.output("mask", mask);
  require(mask.shape().rank() == 4 && mask.shape()[1] == 1 && mask.shape()[2] == 1, name,
          "mask does not fit, got {}, expected (rows, 1, 1, columns)", mask.text());
  require(keep > 0 && keep <= 1, name, "keeps {}, expected more than 0 and at most 1", keep);
}

}  // namespace adwp
