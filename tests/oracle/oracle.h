// The operators once more, as plain loops in double precision: what every device is held against.
//
// Written from the formulas in framework/backend, with no regard to speed. Gradients are not written
// down here: tests take finite differences of these functions.
#pragma once

#include <cstdint>
#include <vector>

#include "framework/backend/specs.h"

namespace adwp::oracle {

struct Array {
  Shape shape;
  std::vector<double> values;

  Array() = default;
  explicit Array(Shape s) : shape(s), values(static_cast<std::size_t>(s.elements()), 0.0) {}
  Array(Shape s, std::vector<double> v) : shape(s), values(std::move(v)) {}

  double& at(std::int64_t i) { return values[static_cast<std::size_t>(i)]; }
  double at(std::int64_t i) const { return values[static_cast<std::size_t>(i)]; }
  double& at(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
    return at(((a * shape[1] + b) * shape[2] + c) * shape[3] + d);
  }
  double at(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) const {
    return at(((a * shape[1] + b) * shape[2] + c) * shape[3] + d);
  }
};

double activate(Activation act, double x);

Array gemm(bool transpose_a, bool transpose_b, const Array& a, const Array& b, const Array& bias,
           Activation act);
Array conv2d(const Conv2d& conv, const Array& x, const Array& w);
struct Moments {
  Array mean, var;
};
Moments moments(const Array& x);  // over all axes but the last; biased variance
Array batch_norm(const Array& x, const Moments& moments, const Array& scale, const Array& shift,
                 double epsilon, Activation act);
Array layer_norm(const Array& x, double epsilon, Activation act);
Array activation(Activation act, const Array& x);
Array add(const Array& a, const Array& b);
Array channel_scale(const Array& x, const Array& s);
Array concat(const Array& a, const Array& b);
Array global_pool(const Array& x);
Array cross_entropy(const Array& logits, const std::vector<std::int32_t>& labels, double smoothing);
struct Taught {  // what ClassTargets says besides labels and smoothing
  std::vector<std::int32_t> others;
  std::vector<double> share;
  Array teacher;
  double temperature = 1, weight = 0;
};
Array mixed_cross_entropy(const Array& logits, const std::vector<std::int32_t>& labels, double smoothing,
                          const Taught& taught);
Array embedding_sum(const std::vector<Array>& tables, const std::vector<std::int32_t>& index);
// Writes the pieces of one source into `out`.
void assemble(const Array& source, const std::vector<TilePiece>& pieces, Array& out);

}  // namespace adwp::oracle
