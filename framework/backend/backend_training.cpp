// Public methods of Backend for loss, HyperNetwork, flat buffers and data: check, then compute.
#include "framework/backend/backend.h"
#include "framework/backend/checks.h"

namespace adwp {

using namespace checks;

namespace {

void expect_classification(const char* where, const Tensor& logits, const Tensor& labels) {
  expect_rank(where, "logits", logits, 2);
  require(logits.shape()[1] > 0, where, "no classes, got logits {}", logits.text());
  expect(where, "labels", labels, Shape{logits.shape()[0]}, DType::i32);
}

}  // namespace

void Backend::cross_entropy_forward(const Tensor& logits, const Tensor& labels, float smoothing,
                                    const Tensor& loss) {
  expect_classification("cross_entropy_forward", logits, labels);
  require(logits.shape()[0] > 0, "cross_entropy_forward", "the mean over an empty batch, got {}",
          logits.text());
  expect("cross_entropy_forward", "loss", loss, Shape{1});
  Workspace workspace(loss, reduction_workspace(logits.shape()[0], 2));
  if (skip(loss)) return;
  const ProfileScope scope(*this, profile_, "cross_entropy_forward", {&logits, &labels, &loss});
  do_cross_entropy_forward(logits, labels, smoothing, loss, workspace.data());
}

void Backend::cross_entropy_backward(const Tensor& dloss, const Tensor& logits, const Tensor& labels,
                                     float smoothing, const Tensor& dlogits, GradMode mode) {
  expect_classification("cross_entropy_backward", logits, labels);
  expect("cross_entropy_backward", "dloss", dloss, Shape{1});
  expect("cross_entropy_backward", "dlogits", dlogits, logits.shape());
  if (skip(dlogits)) return;
  const ProfileScope scope(*this, profile_, "cross_entropy_backward", {&dloss, &logits, &labels, &dlogits});
  do_cross_entropy_backward(dloss, logits, labels, smoothing, dlogits, mode);
}

void Backend::count_hits(const Tensor& logits, const Tensor& labels, const Tensor& score) {
  expect_classification("count_hits", logits, labels);
  expect("count_hits", "score", score, Shape{2});
  Workspace workspace(score, reduction_workspace(logits.shape()[0], 2));
  if (skip(score) || logits.shape()[0] == 0) return;
  const ProfileScope scope(*this, profile_, "count_hits", {&logits, &labels, &score});
  do_count_hits(logits, labels, score, workspace.data());
}

void Backend::embedding_sum(const Tensor* tables, int count, const Tensor& index, const Tensor& y) {
  require(count >= 1 && count <= 3, "embedding_sum", "got {} tables, expected 1 to 3", count);
  expect_rank("embedding_sum", "y", y, 2);
  expect("embedding_sum", "index", index, Shape{y.shape()[0], count}, DType::i32);
  for (int t = 0; t < count; ++t) {
    expect_rank("embedding_sum", "table", tables[t], 2);
    expect("embedding_sum", "table", tables[t], Shape{tables[t].shape()[0], y.shape()[1]});
  }
  if (skip(y)) return;
  const ProfileScope scope(*this, profile_, "embedding_sum", {&index, &y});
  do_embedding_sum(tables, count, index, y);
}

void Backend::embedding_backward(const Tensor& dy, const Tensor& index, int column, const Tensor& dtable,
                                 GradMode mode) {
  expect_rank("embedding_backward", "dy", dy, 2);
  expect_rank("embedding_backward", "index", index, 2, DType::i32);
  expect_rank("embedding_backward", "dtable", dtable, 2);
  require(index.shape()[0] == dy.shape()[0] && column >= 0 && column < index.shape()[1] &&
              dtable.shape()[1] == dy.shape()[1],
          "embedding_backward", "operands do not fit, got dy {}, index {}, column {}, dtable {}", dy.text(),
          index.text(), column, dtable.text());
  if (skip(dtable)) return;
  const ProfileScope scope(*this, profile_, "embedding_backward", {&dy, &index, &dtable});
  do_embedding_backward(dy, index, column, dtable, mode);
}

namespace {

void expect_pieces(const char* where, const Tensor& pieces) {
  expect_rank(where, "pieces", pieces, 2, DType::i32);
  expect(where, "pieces", pieces, Shape{pieces.shape()[0], sizeof(TilePiece) / 4}, DType::i32);
}

}  // namespace

void Backend::assemble(const Tensor& source, const Tensor& pieces, const Tensor& out) {
  expect_f32("assemble", "source", source);
  expect_f32("assemble", "out", out);
  expect_pieces("assemble", pieces);
  if (skip(out) || pieces.elements() == 0) return;
  const ProfileScope scope(*this, profile_, "assemble", {&source, &pieces, &out});
  do_assemble(source, pieces, out);
}

void Backend::assemble_backward(const Tensor& dout, const Tensor& pieces, const Tensor& dsource,
                                GradMode mode) {
  expect_f32("assemble_backward", "dout", dout);
  expect_f32("assemble_backward", "dsource", dsource);
  expect_pieces("assemble_backward", pieces);
  if (skip(dsource)) return;
  if (mode == GradMode::overwrite) dsource.zero();
  if (pieces.elements() == 0) return;
  const ProfileScope scope(*this, profile_, "assemble_backward", {&dout, &pieces, &dsource});
  do_assemble_backward(dout, pieces, dsource);
}

void Backend::sum_of_squares(const Tensor& x, const Tensor& sum) {
  expect_f32("sum_of_squares", "x", x);
  expect("sum_of_squares", "sum", sum, Shape{1});
  Workspace workspace(sum, reduction_workspace(x.elements(), 1));
  if (skip(sum)) return;
  const ProfileScope scope(*this, profile_, "sum_of_squares", {&x, &sum});
  do_sum_of_squares(x, sum, workspace.data());
}

namespace {

void expect_flat(const char* where, const char* operand, const Tensor& tensor, const Tensor& parameter) {
  expect(where, operand, tensor, Shape{parameter.elements()});
}

}  // namespace

void Backend::sgd_step(const SgdStep& step, const Tensor& gradient, const Tensor& norm2,
                       const Tensor& velocity, const Tensor& parameter) {
  expect_flat("sgd_step", "parameter", parameter, parameter);
  expect_flat("sgd_step", "gradient", gradient, parameter);
  expect_flat("sgd_step", "velocity", velocity, parameter);
  expect("sgd_step", "norm2", norm2, Shape{1});
  if (skip(parameter)) return;
  const ProfileScope scope(*this, profile_, "sgd_step", {&gradient, &norm2, &velocity, &parameter});
  do_sgd_step(step, gradient, norm2, velocity, parameter);
}

void Backend::adamw_step(const AdamWStep& step, const Tensor& gradient, const Tensor& norm2,
                         const Tensor& first, const Tensor& second, const Tensor& parameter) {
  expect_flat("adamw_step", "parameter", parameter, parameter);
  expect_flat("adamw_step", "gradient", gradient, parameter);
  expect_flat("adamw_step", "first moment", first, parameter);
  expect_flat("adamw_step", "second moment", second, parameter);
  expect("adamw_step", "norm2", norm2, Shape{1});
  require(step.step >= 1, "adamw_step", "got step {}, expected 1 or more", step.step);
  if (skip(parameter)) return;
  const ProfileScope scope(*this, profile_, "adamw_step", {&gradient, &norm2, &first, &second, &parameter});
  do_adamw_step(step, gradient, norm2, first, second, parameter);
}

void Backend::lerp(const Tensor& source, float t, const Tensor& target) {
  expect_f32("lerp", "source", source);
  expect("lerp", "target", target, source.shape());
  if (skip(target)) return;
  const ProfileScope scope(*this, profile_, "lerp", {&source, &target});
  do_lerp(source, t, target);
}

void Backend::load_batch(const Tensor& images, const Tensor& labels, const Tensor& index,
                         const PixelNorm& norm, const Augmentation& augmentation, const AugmentKey& key,
                         const Tensor& x, const Tensor& y) {
  expect_rank("load_batch", "images", images, 4, DType::u8);
  expect("load_batch", "labels", labels, Shape{images.shape()[0]}, DType::i32);
  expect_rank("load_batch", "index", index, 1, DType::i32);
  const Shape& stored = images.shape();
  require(stored[3] >= 1 && stored[3] <= 4, "load_batch", "got {} channels, expected 1 to 4", stored[3]);
  require(augmentation.shift >= 0 && augmentation.cutout >= 0, "load_batch",
          "negative augmentation, got shift {}, cutout {}", augmentation.shift, augmentation.cutout);
  expect("load_batch", "x", x, Shape{index.shape()[0], stored[1], stored[2], stored[3]});
  expect("load_batch", "y", y, Shape{index.shape()[0]}, DType::i32);
  if (skip(x)) return;
  const ProfileScope scope(*this, profile_, "load_batch", {&index, &x, &y});
  do_load_batch(images, labels, index, norm, augmentation, key, x, y);
}

}  // namespace adwp
