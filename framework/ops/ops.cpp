// The operators of networks. A closure holds the values that its backward reads, and no others.
#include "framework/ops/ops.h"

#include <array>
#include <numeric>

#include "framework/core/error.h"

namespace adwp::ops {

namespace {

// A tensor of this step, stored as x is.
Tensor like(Tape& tape, const Variable& x, const Shape& shape) {
  return tape.tensor(shape, x.unnormed().dtype());
}

// y, the convolution of x and w, as a variable of the tape.
Variable record_conv2d(Tape& tape, const Conv2d& conv, const Variable& x, const Variable& w,
                       const Tensor& y) {
  if (!tape.needs_grad({&x, &w})) return Variable::constant(y);
  return tape.record(y, {&x, &w},
                     [&backend = tape.backend(), conv, dx = x.gradient(), dw = w.gradient(),
                      // x is read only by wgrad, w only by dgrad
                      xv = w.requires_grad() ? x.value() : Tensor(),
                      wv = x.requires_grad() ? w.value() : Tensor()](const Tensor& dy) {
                       if (dw.required()) backend.compute(ConvWgrad{conv, xv, dy, dw.target()});
                       if (dx.required()) backend.compute(ConvDgrad{conv, dy, wv, dx.target()});
                     });
}

// Where a norm of so many channels leaves its batch's statistics: in `wanted` where that has tensors, else in
// new ones, which `wanted` is told.
BatchStatistics own_statistics(Tape& tape, std::int64_t channels, BatchStatistics* wanted) {
  if (wanted != nullptr && wanted->mean.defined()) return *wanted;
  const BatchStatistics own{tape.tensor(Shape{channels}), tape.tensor(Shape{channels})};
  if (wanted != nullptr) *wanted = own;
  return own;
}

// y, batch norm of x with these statistics, as a variable of the tape.
Variable record_batch_norm(Tape& tape, const Variable& x, const Variable& scale, const Variable& shift,
                           Activation act, const Tensor& y, const BatchStatistics& statistics) {
  if (!tape.needs_grad({&x, &scale, &shift})) return Variable::constant(y);
  return tape.record(
      y, {&x, &scale, &shift},
      [&tape, act, own = statistics, xv = x.value(), scale_value = scale.value(), shift_value = shift.value(),
       dx = x.gradient(), dscale = scale.gradient(), dshift = shift.gradient()](const Tensor& dy) {
        const Target to_x = tape.target(dx, xv.shape(), xv.dtype());
        const Target to_scale = tape.target(dscale, own.mean.shape());
        const Target to_shift = tape.target(dshift, own.mean.shape());
        tape.backend().compute(BatchNormBackward{dy, xv, own.mean, own.var, scale_value, shift_value,
                                                 batch_norm_epsilon, act, to_x, to_scale, to_shift});
      });
}

// What `op` has computed, z or y, as a variable of the tape whose gradient is that by z.
Variable record_conv2d_batch_norm(Tape& tape, const ConvBatchNormForward& op, const Variable& x,
                                  const Variable& w, const Variable& scale, const Variable& shift) {
  const Tensor& result = op.z.defined() ? op.z : op.y;
  if (!w.requires_grad()) {
    const Variable y = record_conv2d(tape, op.conv, x, w, op.y);
    return record_batch_norm(tape, y, scale, shift, op.act, result, {op.mean, op.var});
  }
  const auto own_gradient = std::make_shared<Gradient>();  // by the result: it may come with sums
  Variable recorded = tape.record(
      result, {&x, &w, &scale, &shift},
      [&tape, own_gradient, conv = op.conv, act = op.act, xv = op.x, pending = op.pending, wv = op.w,
       y = op.y, own = BatchStatistics{op.mean, op.var}, scale_value = op.scale, shift_value = op.shift,
       dx = x.gradient(), dw = w.gradient(), dscale = scale.gradient(),
       dshift = shift.gradient()](const Tensor& dz) {
        const Target to_scale = tape.target(dscale, own.mean.shape());
        const Target to_shift = tape.target(dshift, own.mean.shape());
        const Target to_x = dx.required() ? dx.target() : Target{};
        // A gradient by a norm that nobody else adds to: the dgrad makes the sums that the norm will ask for.
        Tensor sums_of_x;
        if (pending.defined() && xv.dtype() == DType::bf16 && dx.sole() && !to_x.adds()) {
          sums_of_x = tape.tensor(Shape{2, xv.shape().back()});
          dx.leave_sums(sums_of_x);
        }
        tape.backend().compute(ConvBatchNormBackward{
            conv, dz, xv, wv, y, own.mean, own.var, scale_value, shift_value, batch_norm_epsilon, act, to_x,
            dw.target(), to_scale, to_shift, pending, own_gradient->sums(), sums_of_x});
      });
  *own_gradient = recorded.gradient();
  return recorded;
}

}  // namespace

Variable conv2d(Tape& tape, const Conv2d& conv, const Variable& x, const Variable& w) {
  const Tensor y = tape.value(conv2d_output(conv, x.shape(), w.shape()));
  tape.backend().compute(ConvForward{conv, x.value(), w.value(), y});
  return record_conv2d(tape, conv, x, w, y);
}

Variable batch_norm(Tape& tape, const Variable& x, const Variable& scale, const Variable& shift,
                    Activation act, BatchStatistics* statistics) {
  const BatchStatistics own = own_statistics(tape, x.shape().back(), statistics);
  const Tensor y = like(tape, x, x.shape());
  tape.backend().compute(BatchNormForward{x.value(), scale.value(), shift.value(), batch_norm_epsilon, act, y,
                                          own.mean, own.var});
  return record_batch_norm(tape, x, scale, shift, act, y, own);
}

Variable conv2d_batch_norm(Tape& tape, const Conv2d& conv, const Variable& x, const Variable& w,
                           const Variable& scale, const Variable& shift, Activation act,
                           BatchStatistics* statistics) {
  const Tensor y = tape.value(conv2d_output(conv, x.shape(), w.shape()));
  const BatchStatistics own = own_statistics(tape, y.shape().back(), statistics);
  ConvBatchNormForward op{
      conv, x.unnormed(), w.value(), scale.value(), shift.value(), batch_norm_epsilon, act,
      y,    {},           own.mean,  own.var,       x.norm()};
  if (op.pending.defined() && !tape.backend().fuses(op)) {
    op.x = x.value();
    op.pending = {};
  }
  // Where the device can, the norm is left to whoever reads y.
  const bool leaves = tape.backend().fuses(op);
  if (!leaves) op.z = tape.tensor(y.shape(), y.dtype());
  tape.backend().compute(op);
  const Variable result = record_conv2d_batch_norm(tape, op, x, w, scale, shift);
  if (!leaves) return result;
  return result.with_norm(tape.backend(), {own.mean, own.var, op.scale, op.shift, op.epsilon, act});
}

Variable conv2d_chain(Tape& tape, std::span<const ConvChain::Layer> layers, const Variable& x,
                      const Variable& residual) {
  Shape shape = x.shape();
  for (const ConvChain::Layer& layer : layers) shape = layer.output(shape);
  const Tensor y = tape.value(shape);
  tape.backend().compute(ConvChain{layers, x.value(), residual.value(), batch_norm_epsilon, y});
  return Variable::constant(y);
}

Variable layer_norm(Tape& tape, const Variable& x, Activation act) {
  const Shape rows{x.shape()[0]};
  const Tensor mean = tape.tensor(rows);
  const Tensor inverse = tape.tensor(rows);
  const Tensor y = tape.tensor(x.shape());
  tape.backend().compute(LayerNormForward{x.value(), layer_norm_epsilon, act, y, mean, inverse});
  return tape.record(
      y, {&x},
      [&backend = tape.backend(), act, mean, inverse, xv = x.value(), dx = x.gradient()](const Tensor& dy) {
        backend.compute(LayerNormBackward{dy, xv, mean, inverse, act, dx.target()});
      });
}

Variable linear(Tape& tape, const Variable& x, const Variable& w, const Variable& bias, Activation act,
                bool batch_invariant) {
  const Tensor y = tape.tensor(Shape{x.shape()[0], w.shape()[0]});
  // With gradients the activation is an operator of its own, for its backward needs its input.
  const bool fused = !tape.needs_grad({&x, &w, &bias}) || act == Activation::none;
  tape.backend().compute(Gemm{.transpose_b = true,
                              .a = x.value(),
                              .b = w.value(),
                              .bias = bias.value(),
                              .act = fused ? act : Activation::none,
                              .c = {y},
                              .batch_invariant = batch_invariant});
  Variable result =
      tape.record(y, {&x, &w, &bias},
                  [&backend = tape.backend(), dx = x.gradient(), dw = w.gradient(), dbias = bias.gradient(),
                   xv = w.requires_grad() ? x.value() : Tensor(),
                   wv = x.requires_grad() ? w.value() : Tensor()](const Tensor& dy) {
                    if (dw.required()) {
                      backend.compute(Gemm{.transpose_a = true, .a = dy, .b = xv, .c = dw.target()});
                    }
                    if (dbias.required()) backend.compute(ColumnSum{dy, dbias.target()});
                    if (dx.required()) backend.compute(Gemm{.a = dy, .b = wv, .c = dx.target()});
                  });
  return fused ? result : activation(tape, act, result);
}

Variable activation(Tape& tape, Activation act, const Variable& x) {
  const Tensor y = tape.tensor(x.shape());
  tape.backend().compute(ActivationForward{act, x.value(), y});
  return tape.record(y, {&x},
                     [&backend = tape.backend(), act, xv = x.value(), dx = x.gradient()](const Tensor& dy) {
                       backend.compute(ActivationBackward{act, xv, dy, dx.target()});
                     });
}

Variable add(Tape& tape, const Variable& a, const Variable& b) {
  const Tensor y = like(tape, a, a.shape());
  const bool normed = a.norm().defined() || b.norm().defined();
  if (normed) {  // of what has a norm to go through, that is done on the way
    const Variable &first = a.norm().defined() ? a : b, &second = a.norm().defined() ? b : a;
    BatchNormInference op = first.norm().applied(first.unnormed(), y);
    op.addend = second.value();
    tape.backend().compute(op);
  } else {
    tape.backend().compute(Add{a.value(), b.value(), y});
  }
  return tape.record(y, {&a, &b},
                     [&backend = tape.backend(), da = a.gradient(), db = b.gradient()](const Tensor& dy) {
                       if (da.required()) da.add(backend, dy);
                       if (db.required()) db.add(backend, dy);
                     });
}

Variable concat(Tape& tape, const Variable& a, const Variable& b) {
  const Shape& s = a.shape();
  const std::int64_t split = s.back();
  const Tensor y = like(tape, a, Shape{s[0], s[1], s[2], split + b.shape().back()});
  tape.backend().compute(ConcatForward{a.value(), b.value(), y});
  return tape.record(
      y, {&a, &b},
      [&backend = tape.backend(), split, da = a.gradient(), db = b.gradient()](const Tensor& dy) {
        if (da.required()) backend.compute(ConcatBackward{dy, 0, da.target()});
        if (db.required()) backend.compute(ConcatBackward{dy, split, db.target()});
      });
}

Variable channel_scale(Tape& tape, const Variable& x, const Variable& s) {
  const Tensor y = like(tape, x, x.shape());
  tape.backend().compute(ChannelScaleForward{x.value(), s.value(), y});
  return tape.record(
      y, {&x, &s},
      [&tape, xv = x.value(), sv = s.value(), dx = x.gradient(), ds = s.gradient()](const Tensor& dy) {
        const Target to_x = tape.target(dx, xv.shape(), xv.dtype());
        const Target to_s = tape.target(ds, sv.shape());
        tape.backend().compute(ChannelScaleBackward{dy, xv, sv, to_x, to_s});
      });
}

Variable global_pool(Tape& tape, const Variable& x) {
  const Tensor y = tape.tensor(Shape{x.shape()[0], 1, 1, x.shape().back()});
  tape.backend().compute(GlobalPoolForward{x.value(), y});
  return tape.record(y, {&x}, [&backend = tape.backend(), dx = x.gradient()](const Tensor& dy) {
    backend.compute(GlobalPoolBackward{dy, dx.target()});
  });
}

Variable cross_entropy(Tape& tape, const Variable& logits, const ClassTargets& targets) {
  const Tensor loss = tape.tensor(Shape{1});
  tape.backend().compute(CrossEntropyForward{logits.value(), targets, loss});
  return tape.record(loss, {&logits},
                     [&backend = tape.backend(), targets, lv = logits.value(),
                      dlogits = logits.gradient()](const Tensor& dloss) {
                       backend.compute(CrossEntropyBackward{dloss, lv, targets, dlogits.target()});
                     });
}

// The HyperNetwork's operators.

namespace {

// The rows that take each entry (EmbeddingBackward): entries are counted, then rows put where theirs begin.
std::vector<std::int32_t> row_lists(std::span<const Tensor> tables, std::span<const std::int32_t> index) {
  const std::size_t count = tables.size();
  std::array<std::int32_t, EmbeddingSum::most_tables> first{};  // entry of each table
  std::int32_t entries = 0;
  for (std::size_t t = 0; t < count; ++t) {
    first[t] = entries;
    entries += tables[t].shape()[0];
  }
  std::vector<std::int32_t> rows(entries + 1 + index.size());
  for (std::size_t i = 0; i < index.size(); ++i) ++rows[first[i % count] + index[i] + 1];
  std::partial_sum(rows.begin(), rows.begin() + entries + 1, rows.begin());
  std::vector<std::int32_t> next(rows.begin(), rows.begin() + entries);
  for (std::size_t i = 0; i < index.size(); ++i) {
    rows[entries + 1 + next[first[i % count] + index[i]]++] = i / count;
  }
  return rows;
}

void check_index(std::span<const Tensor> tables, std::span<const std::int32_t> index) {
  require(index.size() % tables.size() == 0, "embedding_sum", "got {} numbers for {} tables", index.size(),
          tables.size());
  for (std::size_t i = 0; i < index.size(); ++i) {
    const std::int64_t entries = tables[i % tables.size()].shape()[0];
    require(index[i] >= 0 && index[i] < entries, "embedding_sum", "no such entry, got {}, expected 0 to {}",
            index[i], entries - 1);
  }
}

}  // namespace

Variable embedding_sum(Tape& tape, std::span<const Variable> tables, std::span<const std::int32_t> index) {
  const std::size_t count = tables.size();
  require(count > 0 && count <= EmbeddingSum::most_tables, "embedding_sum", "got {} tables, expected 1 to {}",
          count, EmbeddingSum::most_tables);
  Tensor all_values[EmbeddingSum::most_tables];
  Variable inputs[EmbeddingSum::most_tables];
  std::vector<Gradient> gradients;
  for (std::size_t t = 0; t < count; ++t) {
    all_values[t] = tables[t].value();
    inputs[t] = tables[t];
    gradients.push_back(tables[t].gradient());
  }
  const std::span values(all_values, count);
  check_index(values, index);
  std::vector<std::int32_t> sent(index.begin(), index.end());
  if (tape.needs_grad({&inputs[0], &inputs[1], &inputs[2]})) {
    const std::vector<std::int32_t> rows = row_lists(values, index);
    sent.insert(sent.end(), rows.begin(), rows.end());
  }
  const Tensor numbers =
      Tensor::from_host(tape.arena(), Shape{std::ssize(sent)}, std::span<const std::int32_t>(sent));
  const std::int64_t rows = index.size() / count, columns = tables[0].shape()[1];
  const Tensor y = tape.tensor(Shape{rows, columns});
  tape.backend().compute(EmbeddingSum{values, numbers.view(0, Shape{rows, std::int64_t(count)}), y});
  const Tensor lists = numbers.view(index.size(), Shape{std::ssize(sent) - std::ssize(index)});
  std::vector<Shape> shapes;
  for (const Tensor& table : values) shapes.push_back(table.shape());
  return tape.record(y, {&inputs[0], &inputs[1], &inputs[2]},
                     [&tape, lists, gradients, shapes](const Tensor& dy) {
                       std::vector<Target> targets;
                       for (std::size_t t = 0; t < gradients.size(); ++t) {
                         targets.push_back(tape.target(gradients[t], shapes[t]));
                       }
                       tape.backend().compute(EmbeddingBackward{dy, lists, targets});
                     });
}

Variable assemble(Tape& tape, std::span<const Part> parts, std::int64_t elements) {
  struct Returned {
    Tensor pieces;
    Gradient gradient;
  };
  const Tensor out = tape.tensor(Shape{elements});
  std::vector<Returned> returned;
  Variable needing;  // any source that needs a gradient makes the result need one
  for (const Part& part : parts) {
    tape.backend().compute(Assemble{part.source.value(), part.pieces, {out, part.mode}});
    if (!part.source.requires_grad()) continue;
    returned.push_back({part.pieces, part.source.gradient()});
    needing = part.source;
  }
  return tape.record(out, {&needing}, [&backend = tape.backend(), returned](const Tensor& dout) {
    for (const auto& [pieces, gradient] : returned) {
      if (gradient.required()) backend.compute(AssembleBackward{dout, pieces, gradient.target()});
    }
  });
}

}  // namespace adwp::ops
