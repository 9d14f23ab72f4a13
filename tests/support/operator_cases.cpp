#include <fmt/format.h>

#include <cmath>

#include "framework/ops/ops.h"
#include "tests/support/operator_case.h"

namespace adwp::test {
namespace {

using oracle::Array;
using Arrays = std::vector<Array>;
using bench::Variables;

OperatorCase with_oracle(OperatorCase c, std::function<Array(const Arrays&)> oracle) {
  c.oracle = std::move(oracle);
  return c;
}

OperatorCase convolution(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c, std::int64_t k,
                         const Conv2d& conv) {
  return with_oracle(bench::conv2d(conv, Shape{n, h, w, c}, k),
                     [conv](const Arrays& a) { return oracle::conv2d(conv, a[0], a[1]); });
}

OperatorCase dense(std::int64_t n, std::int64_t size, std::int64_t c, std::int64_t k, std::int64_t kernel,
                   std::int64_t stride) {
  return convolution(n, size, size, c, k, {kernel, stride, kernel / 2, false});
}

OperatorCase depthwise(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c, std::int64_t kernel,
                       std::int64_t stride) {
  return convolution(n, h, w, c, c, {kernel, stride, kernel / 2, true});
}

OperatorCase batch_norm(const Shape& x, Activation act) {
  return with_oracle(bench::batch_norm(x, act), [act](const Arrays& a) {
    return oracle::batch_norm(a[0], oracle::moments(a[0]), a[1], a[2], ops::batch_norm_epsilon, act);
  });
}

OperatorCase convolution_batch_norm(const Shape& x, std::int64_t filters, const Conv2d& conv,
                                    Activation act) {
  return with_oracle(bench::conv2d_batch_norm(conv, x, filters, act), [=](const Arrays& a) {
    const Array y = oracle::conv2d(conv, a[0], a[1]);
    return oracle::batch_norm(y, oracle::moments(y), a[2], a[3], ops::batch_norm_epsilon, act);
  });
}

// A pointwise convolution and its norm, `next` and its norm, whose input goes through the first norm, and
// where `adds` that input once more: what a device may leave to whoever reads it.
OperatorCase normed_in_a_row(const Shape& x, std::int64_t channels, Activation act, const Conv2d& next,
                             std::int64_t filters, bool adds = false) {
  const Conv2d point{1, 1, 0, false};
  const Shape first{channels, 1, 1, x[3]}, c{channels}, f{filters};
  const Shape second{filters, next.kernel, next.kernel, next.depthwise ? 1 : channels};
  const Shape y{x[0], x[1], x[2], channels};
  return {
      fmt::format("{}_then_{}{}", name_of(act), conv2d_text(next, y, second), adds ? "_and_added" : ""),
      {{x}, {first}, {c, 0.5, 1.5}, {c}, {second}, {f, 0.5, 1.5}, {f}},
      [=](Tape& tape, const Variables& v) {
        const Variable h = ops::conv2d_batch_norm(tape, point, v[0], v[1], v[2], v[3], act);
        const Variable z = ops::conv2d_batch_norm(tape, next, h, v[4], v[5], v[6], Activation::hard_swish);
        return adds ? ops::add(tape, z, h) : z;
      },
      [=](const Arrays& a) {
        const auto layer = [](const Conv2d& conv, const Array& from, const Arrays& weights, Activation kind) {
          const Array to = oracle::conv2d(conv, from, weights[0]);
          return oracle::batch_norm(to, oracle::moments(to), weights[1], weights[2], ops::batch_norm_epsilon,
                                    kind);
        };
        const Array h = layer(point, a[0], {a[1], a[2], a[3]}, act);
        const Array z = layer(next, h, {a[4], a[5], a[6]}, Activation::hard_swish);
        return adds ? oracle::add(z, h) : z;
      }};
}

OperatorCase layer_norm(std::int64_t rows, std::int64_t width, Activation act) {
  return {fmt::format("layer_norm_{}x{}_{}", rows, width, name_of(act)),
          {{Shape{rows, width}, -2, 3}},
          [act](Tape& tape, const Variables& v) { return ops::layer_norm(tape, v[0], act); },
          [act](const Arrays& a) { return oracle::layer_norm(a[0], ops::layer_norm_epsilon, act); }};
}

OperatorCase activation(Activation act, Shape shape, const std::string& name) {
  return {fmt::format("activation_{}_{}", name_of(act), name),
          {{shape, -5, 5}},
          [act](Tape& tape, const Variables& v) { return ops::activation(tape, act, v[0]); },
          [act](const Arrays& a) { return oracle::activation(act, a[0]); }};
}

OperatorCase linear(std::int64_t m, std::int64_t k, std::int64_t n, bool bias, Activation act) {
  return with_oracle(bench::linear(m, k, n, bias, act), [=](const Arrays& a) {
    return oracle::gemm(false, true, a[0], a[1], bias ? a[2] : Array(), act);
  });
}

OperatorCase cross_entropy(std::int64_t n, std::int64_t classes, float smoothing, double range) {
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < n; ++i) labels.push_back(static_cast<std::int32_t>(i * 7 % classes));
  return {fmt::format("cross_entropy_{}x{}_smoothing{}_range{}", n, classes, smoothing, range),
          {{Shape{n, classes}, -range, range}},
          [=](Tape& tape, const Variables& v) {
            const Tensor device_labels =
                Tensor::from_host(tape.arena(), Shape{n}, std::span<const std::int32_t>(labels));
            return ops::cross_entropy(tape, v[0], device_labels, smoothing);
          },
          [=](const Arrays& a) { return oracle::cross_entropy(a[0], labels, smoothing); }};
}

// Two labels a row, and a teacher if `weight` is more than 0.
OperatorCase mixed_cross_entropy(std::int64_t n, std::int64_t classes, float smoothing, float temperature,
                                 float weight) {
  std::vector<std::int32_t> labels;
  std::vector<float> share;
  oracle::Taught taught;
  for (std::int64_t i = 0; i < n; ++i) {
    labels.push_back(static_cast<std::int32_t>(i * 7 % classes));
    taught.others.push_back(static_cast<std::int32_t>(i * 3 % classes));  // at times the label itself
    share.push_back(static_cast<float>(i % 5) / 4);                       // 0 and 1 among them
    taught.share.push_back(share.back());
  }
  std::vector<float> teacher;
  taught.teacher = Array(Shape{n, classes});
  for (double& logit : taught.teacher.values) {
    teacher.push_back(3 * std::sin(1.7f * static_cast<float>(teacher.size())));
    logit = teacher.back();
  }
  taught.temperature = temperature;
  taught.weight = weight;
  return {fmt::format("mixed_cross_entropy_{}x{}_smoothing{}_T{}_w{}", n, classes, smoothing, temperature,
                      weight),
          {{Shape{n, classes}, -3, 3}},
          [=](Tape& tape, const Variables& v) {
            const auto device = [&](const auto& values, Shape shape) {
              using T = typename std::decay_t<decltype(values)>::value_type;
              return Tensor::from_host(tape.arena(), shape, std::span<const T>(values));
            };
            ClassTargets targets{.labels = device(labels, Shape{n}),
                                 .smoothing = smoothing,
                                 .others = device(taught.others, Shape{n}),
                                 .share = device(share, Shape{n}),
                                 .temperature = temperature,
                                 .teaching = weight};
            if (weight > 0) targets.teacher = device(teacher, Shape{n, classes});
            return ops::cross_entropy(tape, v[0], targets);
          },
          [=](const Arrays& a) { return oracle::mixed_cross_entropy(a[0], labels, smoothing, taught); }};
}

}  // namespace

std::vector<OperatorCase> convolution_cases() {
  std::vector<OperatorCase> cases = {
      dense(1, 1, 8, 8, 1, 1),
      dense(2, 1, 8, 16, 3, 1),
      dense(1, 7, 8, 8, 3, 1),
      dense(3, 5, 3, 16, 3, 1),
      dense(3, 9, 3, 16, 3, 2),
      dense(2, 8, 16, 24, 1, 1),
      dense(2, 8, 24, 8, 1, 2),
      dense(2, 6, 5, 7, 3, 1),
      dense(2, 6, 7, 5, 1, 1),
      dense(1, 8, 40, 48, 3, 2),
      dense(2, 7, 16, 8, 5, 1),
      dense(2, 8, 8, 16, 5, 2),
      dense(1, 9, 8, 8, 7, 1),
      dense(2, 6, 8, 8, 7, 2),
      dense(4, 16, 16, 16, 3, 1),
      dense(2, 2, 1, 1, 3, 2),
      dense(0, 5, 8, 8, 3, 1),
      dense(5, 3, 72, 40, 1, 1),
      convolution(2, 5, 9, 8, 8, {3, 1, 0, false}),
      convolution(1, 6, 4, 4, 6, {3, 2, 0, false}),
      convolution(2, 11, 6, 8, 16, {3, 2, 1, false}),
      convolution(1, 8, 8, 8, 8, {2, 2, 0, false}),
      convolution(3, 5, 37, 3, 32, {3, 1, 1, false}),
      convolution(2, 9, 71, 3, 64, {3, 2, 1, false}),
      convolution(40, 4, 4, 3, 32, {3, 1, 0, false}),
  };
  for (std::int64_t kernel : {3, 5, 7}) {
    for (std::int64_t stride : {1, 2}) {
      cases.push_back(depthwise(2, 8, 8, 16, kernel, stride));
      cases.push_back(depthwise(1, 7, 7, 24, kernel, stride));
      cases.push_back(depthwise(3, 5, 9, 5, kernel, stride));
      cases.push_back(depthwise(2, 1, 1, 8, kernel, stride));
    }
  }
  cases.push_back(depthwise(40, 4, 4, 40, 3, 1));  // more images than parts of a reduction
  cases.push_back(depthwise(0, 4, 4, 8, 3, 1));
  cases.push_back(depthwise(1, 6, 6, 72, 5, 2));
  cases.push_back(depthwise(2, 6, 6, 9, 1, 1));  // kernel sizes that no space has
  cases.push_back(convolution(1, 8, 8, 8, 8, {4, 2, 1, true}));
  return cases;
}

std::vector<OperatorCase> normalization_cases() {
  std::vector<OperatorCase> cases;
  for (Activation act : all_activations) cases.push_back(batch_norm(Shape{4, 5, 5, 24}, act));
  cases.push_back(batch_norm(Shape{1, 3, 3, 7}, Activation::relu));
  cases.push_back(batch_norm(Shape{64, 1, 1, 8}, Activation::silu));
  cases.push_back(batch_norm(Shape{9, 33}, Activation::none));
  // many rows, in several parts of a reduction
  cases.push_back(batch_norm(Shape{8, 32, 32, 8}, Activation::relu));
  OperatorCase offset = batch_norm(Shape{4, 8, 8, 16}, Activation::none);
  offset.name += "_far_from_zero";
  offset.operands[0] = {Shape{4, 8, 8, 16}, 999, 1001};
  // Near 1000 the inputs' own spacing is 6e-5, against a deviation of 0.6.
  offset.tolerance = offset.gradient_tolerance = 1e-6;
  cases.push_back(offset);
  const Conv2d point{1, 1, 0, false}, three{3, 1, 1, false}, halving{3, 2, 1, false};
  // One tile and several, whole and ragged in rows and columns; images of 3 channels; k that is split.
  for (Activation act : all_activations) {
    cases.push_back(convolution_batch_norm(Shape{2, 5, 5, 8}, 24, three, act));
  }
  cases.push_back(convolution_batch_norm(Shape{3, 9, 9, 16}, 72, point, Activation::relu));
  cases.push_back(convolution_batch_norm(Shape{5, 16, 16, 3}, 16, three, Activation::relu));
  cases.push_back(convolution_batch_norm(Shape{4, 16, 16, 4}, 66, point, Activation::none));
  cases.push_back(convolution_batch_norm(Shape{2, 15, 15, 8}, 8, halving, Activation::silu));
  cases.push_back(convolution_batch_norm(Shape{1, 3, 3, 5}, 7, point, Activation::none));
  cases.push_back(convolution_batch_norm(Shape{2, 6, 6, 64}, 8, three, Activation::relu));
  cases.push_back(convolution_batch_norm(Shape{2, 6, 6, 16}, 16, {3, 1, 1, true}, Activation::relu));
  // Of depthwise tiles: whole ones, those at edges, blocks of fewer than 32 channels, single channels.
  cases.push_back(convolution_batch_norm(Shape{3, 16, 16, 32}, 32, {3, 1, 1, true}, Activation::none));
  cases.push_back(convolution_batch_norm(Shape{2, 19, 19, 40}, 40, {5, 2, 2, true}, Activation::silu));
  cases.push_back(convolution_batch_norm(Shape{2, 9, 9, 35}, 35, {7, 1, 3, true}, Activation::relu));
  // Images: tiles that are whole, and those at edges.
  cases.push_back(convolution_batch_norm(Shape{3, 16, 16, 3}, 32, three, Activation::relu));
  cases.push_back(convolution_batch_norm(Shape{2, 21, 21, 3}, 64, three, Activation::none));
  cases.push_back(convolution_batch_norm(Shape{2, 19, 19, 3}, 32, halving, Activation::silu));
  cases.push_back(convolution_batch_norm(Shape{0, 6, 6, 8}, 16, three, Activation::relu));
  // Norms that are applied on the way into what reads them, or cannot be: products of one tile and of many,
  // ragged in rows, columns and depth, depthwise tiles with their borders, dense windows, odd channels.
  for (Activation act : all_activations) {
    cases.push_back(normed_in_a_row(Shape{2, 5, 5, 8}, 24, act, point, 40));
    cases.push_back(normed_in_a_row(Shape{2, 5, 5, 8}, 36, act, {3, 1, 1, true}, 36));
  }
  cases.push_back(normed_in_a_row(Shape{2, 12, 12, 8}, 72, Activation::relu, point, 72, true));
  cases.push_back(normed_in_a_row(Shape{2, 9, 9, 4}, 40, Activation::silu, {5, 2, 2, true}, 40));
  cases.push_back(normed_in_a_row(Shape{2, 9, 9, 4}, 8, Activation::none, {7, 1, 3, true}, 8, true));
  cases.push_back(normed_in_a_row(Shape{2, 6, 6, 4}, 16, Activation::relu, three, 8));
  cases.push_back(normed_in_a_row(Shape{3, 5, 5, 4}, 7, Activation::relu, point, 5));
  cases.push_back(normed_in_a_row(Shape{3, 5, 5, 4}, 8, Activation::relu, point, 6));
  cases.push_back(normed_in_a_row(Shape{3, 5, 5, 4}, 7, Activation::sigmoid, {3, 1, 1, true}, 7));
  cases.push_back(normed_in_a_row(Shape{2, 4, 4, 8}, 16, Activation::relu, {1, 2, 0, false}, 16));
  cases.push_back(normed_in_a_row(Shape{0, 4, 4, 8}, 16, Activation::relu, point, 16));
  for (Activation act : {Activation::none, Activation::relu, Activation::silu}) {
    cases.push_back(layer_norm(5, 64, act));
  }
  cases.push_back(layer_norm(1, 7, Activation::relu));
  cases.push_back(layer_norm(33, 256, Activation::relu));
  cases.push_back(layer_norm(0, 16, Activation::none));
  return cases;
}

std::vector<OperatorCase> elementwise_cases() {
  std::vector<OperatorCase> cases;
  for (Activation act : all_activations) {
    cases.push_back(activation(act, Shape{3, 5, 7, 9}, "3x5x7x9"));
    cases.push_back(activation(act, Shape{1}, "one"));
    cases.push_back(activation(act, Shape{0, 4}, "empty"));
  }
  for (Shape x : {Shape{2, 3, 5, 8}, Shape{1, 1, 1, 1}, Shape{0, 2, 2, 8}, Shape{3, 20, 20, 24}}) {
    cases.push_back(with_oracle(bench::add(x), [](const Arrays& a) { return oracle::add(a[0], a[1]); }));
    cases.push_back(with_oracle(bench::channel_scale(x),
                                [](const Arrays& a) { return oracle::channel_scale(a[0], a[1]); }));
    for (std::int64_t second : {1, 8}) {
      cases.push_back(
          with_oracle(bench::concat(x, second), [](const Arrays& a) { return oracle::concat(a[0], a[1]); }));
    }
  }
  cases.push_back({"add_to_itself",
                   {{Shape{4, 6}}},
                   [](Tape& tape, const Variables& v) { return ops::add(tape, v[0], v[0]); },
                   [](const Arrays& a) { return oracle::add(a[0], a[0]); }});
  return cases;
}

std::vector<OperatorCase> pooling_cases() {
  std::vector<OperatorCase> cases;
  for (Shape x : {Shape{2, 7, 5, 24}, Shape{1, 1, 1, 3}, Shape{0, 4, 4, 8}, Shape{9, 8, 8, 40}}) {
    cases.push_back(
        with_oracle(bench::global_pool(x), [](const Arrays& a) { return oracle::global_pool(a[0]); }));
  }
  return cases;
}

std::vector<OperatorCase> matrix_cases() {
  std::vector<OperatorCase> cases;
  for (Activation act : all_activations) cases.push_back(linear(9, 20, 17, true, act));
  cases.push_back(linear(1, 1, 1, true, Activation::none));
  cases.push_back(linear(1, 130, 7, false, Activation::none));
  cases.push_back(linear(33, 64, 128, false, Activation::relu));
  cases.push_back(linear(200, 31, 65, true, Activation::silu));
  cases.push_back(linear(0, 8, 4, true, Activation::none));
  cases.push_back(cross_entropy(1, 2, 0.0f, 1));
  cases.push_back(cross_entropy(37, 10, 0.0f, 3));
  cases.push_back(cross_entropy(8, 10, 0.1f, 3));
  cases.push_back(cross_entropy(5, 100, 0.1f, 1));
  cases.push_back(cross_entropy(4, 1, 0.0f, 1));
  cases.push_back(cross_entropy(6, 10, 0.0f, 200));  // overflows without care
  cases.push_back(mixed_cross_entropy(1, 2, 0.0f, 1, 0));
  cases.push_back(mixed_cross_entropy(37, 10, 0.1f, 1, 0));
  cases.push_back(mixed_cross_entropy(23, 10, 0.1f, 4, 0.5f));
  cases.push_back(mixed_cross_entropy(6, 100, 0.0f, 2, 1));
  return cases;
}

std::vector<OperatorCase> hypernetwork_cases() {
  const std::vector<std::int32_t> index = {0, 2, 1, 3, 0, 0, 3, 1, 1, 1, 2, 0, 3, 2, 1};  // (5, 3)
  std::vector<OperatorCase> cases;
  cases.push_back({"embedding_sum_3_tables",
                   {{Shape{4, 24}}, {Shape{3, 24}}, {Shape{2, 24}}},
                   [=](Tape& tape, const Variables& v) { return ops::embedding_sum(tape, v, index); },
                   [=](const Arrays& a) { return oracle::embedding_sum(a, index); }});
  const std::vector<std::int32_t> single = {2, 2, 0, 2};
  cases.push_back({"embedding_sum_1_table",
                   {{Shape{3, 7}}},
                   [=](Tape& tape, const Variables& v) { return ops::embedding_sum(tape, v, single); },
                   [=](const Arrays& a) { return oracle::embedding_sum(a, single); }});
  // More rows of an entry than a block takes at once, and entries that no row takes.
  std::vector<std::int32_t> many;
  for (int i = 0; i < 80; ++i) many.insert(many.end(), {i % 20 == 0 ? 2 : 0, i % 7});
  cases.push_back({"embedding_sum_long_lists",
                   {{Shape{4, 33}}, {Shape{9, 33}}},
                   [=](Tape& tape, const Variables& v) { return ops::embedding_sum(tape, v, many); },
                   [=](const Arrays& a) { return oracle::embedding_sum(a, many); }});

  // Tiles of 4 x 9 x 2 in two rows of three, cropped to 7 x 9 x 5 and scaled; and, from a second
  // source, a plain slice and a shifted vector.
  const std::vector<TilePiece> tiles = {{10, 80, 3, 4, 2, 9, 7, 5, 0, 5, 0.25f, 0.0f}};
  const std::vector<TilePiece> slices = {{3, 0, 1, 6, 8, 1, 4, 5, 315, 5, 1.0f, 0.0f},
                                         {51, 0, 1, 1, 9, 1, 1, 9, 335, 9, 1.0f, 1.0f}};
  const std::int64_t elements = 7 * 9 * 5 + 20 + 9;
  auto upload = [](Tape& tape, const std::vector<TilePiece>& pieces) {
    const auto* words = reinterpret_cast<const std::int32_t*>(pieces.data());
    return Tensor::from_host(tape.arena(), Shape{static_cast<std::int64_t>(pieces.size()), 12},
                             std::span<const std::int32_t>(words, pieces.size() * 12));
  };
  cases.push_back(
      {"assemble_two_sources",
       {{Shape{6, 80}}, {Shape{64}}},
       [=](Tape& tape, const Variables& v) {
         // The first tile begins 10 elements into the source: one element short of room
         // would be found by the arena's sentinels.
         const std::vector<ops::Part> parts = {{v[0], upload(tape, tiles)}, {v[1], upload(tape, slices)}};
         return ops::assemble(tape, parts, elements);
       },
       [=](const Arrays& a) {
         Array out(Shape{elements});
         oracle::assemble(a[0], tiles, out);
         oracle::assemble(a[1], slices, out);
         return out;
       }});

  // A third source adds to part of what the first and all of what the second made.
  const std::vector<TilePiece> change = {{0, 0, 1, 6, 8, 1, 4, 5, 315, 5, 0.5f, 0.25f},
                                         {48, 0, 1, 1, 40, 1, 1, 30, 20, 30, 2.0f, 0.0f}};
  cases.push_back({"assemble_and_add",
                   {{Shape{6, 80}}, {Shape{64}}, {Shape{100}}},
                   [=](Tape& tape, const Variables& v) {
                     const std::vector<ops::Part> parts = {
                         {v[0], upload(tape, tiles)},
                         {v[1], upload(tape, slices)},
                         {v[2], upload(tape, change), GradMode::accumulate}};
                     return ops::assemble(tape, parts, elements);
                   },
                   [=](const Arrays& a) {
                     Array out(Shape{elements}), added(Shape{elements});
                     oracle::assemble(a[0], tiles, out);
                     oracle::assemble(a[1], slices, out);
                     oracle::assemble(a[2], change, added);
                     for (std::int64_t i = 0; i < elements; ++i) out.at(i) += added.at(i);
                     return out;
                   }});
  return cases;
}

std::vector<OperatorCase> all_cases() {
  std::vector<OperatorCase> all;
  for (const auto& cases : {convolution_cases(), normalization_cases(), elementwise_cases(), pooling_cases(),
                            matrix_cases(), hypernetwork_cases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace adwp::test
