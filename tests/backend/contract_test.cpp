// What the contract says beyond differentiable operators: matrix products in all forms, flat
// buffers, counters, batches of images, refusals.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "framework/core/error.h"
#include "framework/ops/ops.h"
#include "tests/support/device.h"
#include "tests/support/operator_case.h"

namespace adwp::test {
namespace {

using oracle::Array;

class Contract : public DeviceTest {};

TEST_P(Contract, GemmInAllForms) {
  struct Case {
    std::int64_t m, n, k;
  };
  for (const Case& c : {Case{1, 1, 1}, Case{17, 33, 65}, Case{64, 10, 128}, Case{3, 200, 1},
                        Case{130, 7, 257}, Case{0, 4, 5}, Case{4, 4, 0}}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const Array a = random_array(ta ? Shape{c.k, c.m} : Shape{c.m, c.k}, 1);
        const Array b = random_array(tb ? Shape{c.n, c.k} : Shape{c.k, c.n}, 2);
        const Array bias = random_array(Shape{c.n}, 3);
        const std::string name = fmt::format("{}x{}x{} {}{}", c.m, c.n, c.k, ta, tb);
        for (Activation act : all_activations) {
          const Tensor out(arena(), Shape{c.m, c.n});
          backend().compute(Gemm{ta, tb, upload(a), upload(b), upload(bias), act, {out}});
          EXPECT_LE(nmse(to_array(out), oracle::gemm(ta, tb, a, b, bias, act)), 1e-7) << name;
        }
        const Array before = random_array(Shape{c.m, c.n}, 4);
        const Tensor out = upload(before);
        backend().compute(
            Gemm{ta, tb, upload(a), upload(b), {}, Activation::none, {out, GradMode::accumulate}});
        const Array product = oracle::gemm(ta, tb, a, b, {}, Activation::none);
        EXPECT_LE(nmse(to_array(out), oracle::add(before, product)), 1e-7) << name;
      }
    }
  }
}

TEST_P(Contract, ColumnSum) {
  for (Shape s : {Shape{1, 5}, Shape{333, 17}, Shape{4096, 8}, Shape{0, 3}}) {
    const Array x = random_array(s, 5, 0, 1);
    Array expected(Shape{s[1]});
    for (std::int64_t i = 0; i < s.elements(); ++i) expected.at(i % s[1]) += x.at(i);
    const Tensor sum(arena(), Shape{s[1]});
    backend().compute(ColumnSum{upload(x), {sum}});
    EXPECT_LE(nmse(to_array(sum), expected), 1e-12) << s.text();
    backend().compute(ColumnSum{upload(x), {sum, GradMode::accumulate}});
    for (double& v : expected.values) v *= 2;
    EXPECT_LE(nmse(to_array(sum), expected), 1e-12) << s.text();
  }
}

TEST_P(Contract, BatchNormInferenceUsesTheGivenStatistics) {
  for (Activation act : all_activations) {
    const Array x = random_array(Shape{3, 5, 5, 24}, 6, -2, 2);
    const oracle::Moments given{random_array(Shape{24}, 7), random_array(Shape{24}, 8, 0.1, 2)};
    const Array scale = random_array(Shape{24}, 9), shift = random_array(Shape{24}, 10);
    const Tensor y(arena(), x.shape);
    backend().compute(BatchNormInference{upload(x), upload(given.mean), upload(given.var), upload(scale),
                                         upload(shift), 1e-5f, act, y});
    const Array expected = oracle::batch_norm(x, given, scale, shift, 1e-5, act);
    EXPECT_LE(nmse(to_array(y), expected), 1e-7);
    const Array addend = random_array(x.shape, 11);
    backend().compute(BatchNormInference{upload(x), upload(given.mean), upload(given.var), upload(scale),
                                         upload(shift), 1e-5f, act, y, upload(addend)});
    EXPECT_LE(nmse(to_array(y), oracle::add(expected, addend)), 1e-7);
  }
}

TEST_P(Contract, BatchNormLeavesMeanAndBiasedVariance) {
  const Array x = random_array(Shape{4, 3, 3, 16}, 11, -1, 4);
  const oracle::Moments expected = oracle::moments(x);
  const Tensor y(arena(), x.shape), mean(arena(), Shape{16}), var(arena(), Shape{16});
  const Tensor ones = upload(Array(Shape{16}, std::vector<double>(16, 1.0)));
  backend().compute(BatchNormForward{upload(x), ones, ones, 1e-5f, Activation::none, y, mean, var});
  EXPECT_LE(nmse(to_array(mean), expected.mean), 1e-10);
  EXPECT_LE(nmse(to_array(var), expected.var), 1e-10);
}

// More images than a grid has room for along y or z, 65,535.
TEST_P(Contract, PoolsVeryLargeBatches) {
  const std::int64_t images = 65'537;
  const Array x = random_array(Shape{images, 1, 1, 1}, 21), s = random_array(x.shape, 22);
  const Tensor y(arena(), x.shape), ds(arena(), x.shape), dx(arena(), x.shape);
  backend().compute(GlobalPoolForward{upload(x), y});
  EXPECT_LE(nmse(to_array(y), x), 1e-12);
  backend().compute(ChannelScaleBackward{upload(x), upload(x), upload(s), {dx}, {ds}});
  std::vector<double> squares;
  for (const double value : x.values) squares.push_back(value * value);
  EXPECT_LE(nmse(to_array(ds), Array(x.shape, squares)), 1e-12);
}

TEST_P(Contract, CountHitsAddsUp) {
  // Row 2 has its maximum twice: the first counts.
  const Tensor logits = upload(Array(Shape{4, 3}, {0, 1, 2, 5, 0, 0, 1, 1, 0, 0, 0, 9}));
  const Tensor labels = upload(Shape{4}, {2, 1, 0, 2});
  const Tensor score = upload(Array(Shape{2}, {10, 20}));
  backend().compute(CountHits{logits, labels, score});
  const Array logit_rows(Shape{4, 3}, {0, 1, 2, 5, 0, 0, 1, 1, 0, 0, 0, 9});
  const double loss = 4 * oracle::cross_entropy(logit_rows, {2, 1, 0, 2}, 0).at(0);
  const std::vector<float> found = score.to_host<float>();
  EXPECT_NEAR(found[0], 10 + loss, 1e-5);
  EXPECT_EQ(found[1], 23);
}

TEST_P(Contract, SumOfSquares) {
  for (std::int64_t n : {0, 1, 100, 70001}) {
    const Array x = random_array(Shape{n}, 12);
    double expected = 0;
    for (double v : x.values) expected += v * v;
    const Tensor sum(arena(), Shape{1});
    backend().compute(SumOfSquares{upload(x), sum});
    EXPECT_NEAR(sum.to_host<float>()[0], expected, 1e-6 * expected) << n;
  }
}

TEST_P(Contract, SgdStepFollowsItsFormula) {
  const std::int64_t n = 1000, decayed = 640;
  Array p = random_array(Shape{n}, 13), g = random_array(Shape{n}, 14), v = random_array(Shape{n}, 15);
  for (const bool nesterov : {false, true}) {
    for (const float max_norm : {0.0f, 2.0f}) {
      const SgdRule rule{0.1f, 0.9f, nesterov, 0.05f, decayed, max_norm};
      const Tensor parameter = upload(p), velocity = upload(v), gradient = upload(g);
      const Tensor norm2(arena(), Shape{1});
      backend().compute(SumOfSquares{gradient, norm2});
      backend().compute(SgdStep{rule, gradient, norm2, velocity, parameter});
      double norm = 0;
      for (double x : g.values) norm += x * x;
      const double clip = max_norm > 0 ? std::min(1.0, max_norm / std::sqrt(norm)) : 1.0;
      Array expected_v(Shape{n}), expected_p(Shape{n});
      for (std::int64_t i = 0; i < n; ++i) {
        const double clipped = clip * g.at(i);
        expected_v.at(i) = double(0.9f) * v.at(i) + clipped;
        const double update = nesterov ? clipped + double(0.9f) * expected_v.at(i) : expected_v.at(i);
        expected_p.at(i) =
            p.at(i) - double(0.1f) * update - (i < decayed ? double(0.1f) * double(0.05f) * p.at(i) : 0);
      }
      EXPECT_LE(nmse(to_array(velocity), expected_v), 1e-12);
      EXPECT_LE(nmse(to_array(parameter), expected_p), 1e-12);
      EXPECT_EQ(to_array(gradient).values, g.values) << "gradients are left as they are";
    }
  }
}

TEST_P(Contract, AdamWStepFollowsItsFormula) {
  const std::int64_t n = 777, decayed = 512;
  const Array p = random_array(Shape{n}, 16), started = random_array(Shape{n}, 18, -0.1, 0.1);
  Array g = random_array(Shape{n}, 17);
  for (std::int64_t i = 0; i < n; i += 3) g.at(i) = 0;
  for (const bool lazy : {false, true}) {
    Array m = started, v = random_array(Shape{n}, 19, 0.01, 0.1);
    const AdamWRule rule{3e-3f, 0.9f, 0.99f, 1e-8f, 0.1f, decayed, 5.0f, 7, lazy};
    const Tensor parameter = upload(p), first = upload(m), second = upload(v), gradient = upload(g);
    const Tensor norm2(arena(), Shape{1});
    backend().compute(SumOfSquares{gradient, norm2});
    backend().compute(AdamWStep{rule, gradient, norm2, first, second, parameter});
    double norm = 0;
    for (double x : g.values) norm += x * x;
    const double clip = std::min(1.0, 5.0 / std::sqrt(norm));
    Array expected = p;
    for (std::int64_t i = 0; i < n; ++i) {
      if (lazy && i % 3 == 0) continue;
      const double clipped = clip * g.at(i);
      m.at(i) = double(0.9f) * m.at(i) + (1 - double(0.9f)) * clipped;
      v.at(i) = double(0.99f) * v.at(i) + (1 - double(0.99f)) * clipped * clipped;
      const double mean = m.at(i) / (1 - std::pow(double(0.9f), 7));
      const double square = v.at(i) / (1 - std::pow(double(0.99f), 7));
      expected.at(i) = p.at(i) - double(3e-3f) * mean / (std::sqrt(square) + 1e-8) -
                       (i < decayed ? double(3e-3f) * double(0.1f) * p.at(i) : 0);
    }
    EXPECT_LE(nmse(to_array(first), m), 1e-12);
    EXPECT_LE(nmse(to_array(second), v), 1e-12);
    EXPECT_LE(nmse(to_array(parameter), expected), 1e-12);
  }
}

TEST_P(Contract, LerpMovesTowardsTheSource) {
  const Array from = random_array(Shape{50}, 20), at = random_array(Shape{50}, 21);
  const Tensor target = upload(at);
  backend().compute(Lerp{upload(from), 0.25f, target});
  Array expected(Shape{50});
  for (std::int64_t i = 0; i < 50; ++i) expected.at(i) = 0.75 * at.at(i) + 0.25 * from.at(i);
  EXPECT_LE(nmse(to_array(target), expected), 1e-12);
}

// The formula of LoadBatch, pixel by pixel.
Array expected_batch(const std::vector<std::uint8_t>& stored, const Shape& images,
                     const std::vector<std::int32_t>& index, const PixelNorm& norm, const Augmentation& aug,
                     const AugmentKey& key) {
  const std::int64_t h = images[1], w = images[2], c = images[3];
  Array x(Shape{static_cast<std::int64_t>(index.size()), h, w, c});
  for (std::size_t b = 0; b < index.size(); ++b) {
    const Philox::Block r =
        Philox::generate({static_cast<std::uint32_t>(index[b]), static_cast<std::uint32_t>(Purpose::augment),
                          static_cast<std::uint32_t>(key.epoch), static_cast<std::uint32_t>(key.epoch >> 32)},
                         {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)});
    const std::int64_t span = 2 * aug.shift + 1;
    const std::int64_t dy = (r[1] >> 16) % span - aug.shift, dx = (r[1] & 0xffff) % span - aug.shift;
    const std::int64_t top = (r[2] >> 16) % h - aug.cutout / 2, left = (r[2] & 0xffff) % w - aug.cutout / 2;
    for (std::int64_t i = 0; i < h; ++i) {
      for (std::int64_t j = 0; j < w; ++j) {
        const std::int64_t row = i + dy, column = j + dx;
        const bool cut = i >= top && i < top + aug.cutout && j >= left && j < left + aug.cutout;
        const bool inside = row >= 0 && row < h && column >= 0 && column < w;
        if (cut || !inside) continue;
        const std::int64_t source = aug.flip && (r[0] & 1) ? w - 1 - column : column;
        for (std::int64_t k = 0; k < c; ++k) {
          const auto at = static_cast<std::size_t>(((index[b] * h + row) * w + source) * c + k);
          x.at(static_cast<std::int64_t>(b), i, j, k) =
              (stored[at] / 255.0 - norm.mean[k]) / norm.deviation[k];
        }
      }
    }
  }
  return x;
}

TEST_P(Contract, LoadBatchFollowsItsFormula) {
  const Shape images{6, 9, 8, 3};
  Random random(2, Purpose::test);
  std::vector<std::uint8_t> stored(static_cast<std::size_t>(images.elements()));
  for (auto& byte : stored) byte = static_cast<std::uint8_t>(random.below(256));
  const Tensor pixels = Tensor::from_host(arena(), images, std::span<const std::uint8_t>(stored));
  const Tensor labels = upload(Shape{6}, {5, 4, 3, 2, 1, 0});
  const std::vector<std::int32_t> index = {5, 0, 0, 3, 1};
  const PixelNorm norm{{0.4f, 0.5f, 0.6f, 0}, {0.2f, 0.3f, 0.25f, 1}};
  for (const Augmentation& aug :
       {Augmentation{}, Augmentation{.shift = 2, .flip = true}, Augmentation{.cutout = 4},
        Augmentation{3, true, 5}, Augmentation{12, true, 20}}) {
    for (const AugmentKey& key : {AugmentKey{1, 0}, AugmentKey{1, 7}, AugmentKey{1ull << 40, 7}}) {
      const Tensor x(arena(), Shape{5, 9, 8, 3}), y(arena(), Shape{5}, DType::i32);
      backend().compute(LoadBatch{pixels, labels, upload(Shape{5}, index), norm, aug, key, x, y});
      EXPECT_LE(nmse(to_array(x), expected_batch(stored, images, index, norm, aug, key)), 1e-10);
      EXPECT_EQ(y.to_host<std::int32_t>(), (std::vector<std::int32_t>{0, 5, 5, 2, 4}));
    }
  }
}

TEST_P(Contract, SmallerImagesAreTheMeansOverTheirPixelsAreas) {
  const Shape large{2, 9, 7, 3};
  const Array x = random_array(large, 30);
  const auto part = [](std::int64_t in, std::int64_t ins, std::int64_t out, std::int64_t outs) {
    const double ratio = static_cast<double>(ins) / static_cast<double>(outs), at = static_cast<double>(in);
    const double low = std::max(at, static_cast<double>(out) * ratio);
    return std::max(0.0, std::min(at + 1, static_cast<double>(out + 1) * ratio) - low) / ratio;
  };
  for (const Shape& small :
       {Shape{2, 3, 7, 3}, Shape{2, 5, 4, 3}, Shape{2, 8, 6, 3}, Shape{2, 1, 1, 3}, large}) {
    Array expected(small);
    for (std::int64_t e = 0; e < small.elements(); ++e) {
      const std::int64_t c = e % 3, j = e / 3 % small[2], i = e / 3 / small[2] % small[1];
      const std::int64_t b = e / 3 / small[2] / small[1];
      for (std::int64_t h = 0; h < 9; ++h) {
        for (std::int64_t w = 0; w < 7; ++w) {
          expected.at(e) += part(h, 9, i, small[1]) * part(w, 7, j, small[2]) * x.at(b, h, w, c);
        }
      }
    }
    const Tensor y(arena(), small);
    backend().compute(ShrinkImages{upload(x), y});
    EXPECT_LE(nmse(to_array(y), expected), 1e-12) << small.text();
  }
  for (const Shape& wrong : {Shape{2, 10, 7, 3}, Shape{2, 9, 8, 3}, Shape{1, 9, 7, 3}, Shape{2, 9, 7, 1}}) {
    EXPECT_THROW(backend().compute(ShrinkImages{upload(x), Tensor(arena(), wrong)}), Error);
  }
}

TEST_P(Contract, RefusesOperandsThatDoNotFit) {
  const Tensor x(arena(), Shape{2, 4, 4, 8}), w(arena(), Shape{8, 3, 3, 8});
  const Tensor y(arena(), Shape{2, 4, 4, 8}), small(arena(), Shape{2, 3, 4, 8});
  const Tensor bytes(arena(), Shape{2, 4, 4, 8}, DType::u8), c8(arena(), Shape{8}), c7(arena(), Shape{7});
  const Conv2d conv{3, 1, 1, false};
  const auto refuses = [&](const auto& op) { EXPECT_THROW(backend().compute(op), Error); };
  refuses(ConvForward{conv, x, w, small});
  refuses(ConvForward{conv, bytes, w, y});
  refuses(ConvForward{conv, x, Tensor(arena(), Shape{8, 3, 3, 7}), y});
  refuses(ConvForward{{5, 1, 2, false}, x, w, y});
  refuses(ConvForward{{3, 1, 1, true}, x, w, y});
  refuses(ConvDgrad{conv, small, w, {x}});
  refuses(ConvWgrad{conv, x, y, {c8}});
  refuses(BatchNormForward{x, c7, c8, 1e-5f, Activation::none, y, c8, c8});
  refuses(Add{x, small, y});
  refuses(Add{x, Tensor(), y});
  refuses(ConcatForward{x, small, y});
  refuses(ConcatBackward{x, 1, {y}});
  refuses(Gemm{.a = c8, .b = c8, .c = {c8}});
  refuses(ConvBatchNormForward{conv, x, w, c7, c8, 1e-5f, Activation::none, y, y, c8, c8});
  refuses(Lerp{c7, 0.5f, c8});
  refuses(EmbeddingSum{{}, upload(Shape{1, 1}, {0}), Tensor(arena(), Shape{1, 4})});
  const std::array<Target, 1> table{Target{Tensor(arena(), Shape{2, 4})}};
  refuses(EmbeddingBackward{Tensor(arena(), Shape{1, 4}), upload(Shape{3}, {0, 1, 1}), table});
  refuses(EmbeddingBackward{Tensor(arena(), Shape{1, 4}), upload(Shape{4}, {0, 1, 1, 0}), {}});
  refuses(AdamWStep{AdamWRule{.step = 0}, c8, Tensor(arena(), Shape{1}), c8, c8, c8});
}

TEST_P(Contract, AnEmbeddingRefusesEntriesThatItHasNot) {
  const std::array<Variable, 2> tables{Variable::constant(Tensor(arena(), Shape{2, 4})),
                                       Variable::constant(Tensor(arena(), Shape{3, 4}))};
  for (const auto& table : tables) table.value().zero();
  Tape tape(backend(), arena(), Tape::Recording::off);
  using Index = std::vector<std::int32_t>;
  EXPECT_NO_THROW(ops::embedding_sum(tape, tables, Index{1, 2, 0, 0}));
  for (const Index& wrong : {Index{2, 0}, Index{0, 3}, Index{0, 0, -1, 0}, Index{0, 0, 1}}) {
    EXPECT_THROW(ops::embedding_sum(tape, tables, wrong), Error);
  }
}

TEST_P(Contract, ErrorsNameOperandAndShapes) {
  const Tensor a(arena(), Shape{2, 3}), b(arena(), Shape{3, 5}), c(arena(), Shape{2, 5});
  const Tensor c7(arena(), Shape{7});
  auto expect_refused = [&](const Tensor& right, const Tensor& bias, const Tensor& result,
                            const std::string& text) {
    try {
      backend().compute(Gemm{.a = a, .b = right, .bias = bias, .c = {result}});
      ADD_FAILURE() << "no error: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "[gemm] " + text);
    }
  };
  expect_refused(Tensor(arena(), Shape{4, 5}), {}, c, "b does not fit, got f32 (4, 5), expected f32 (3, 5)");
  expect_refused(b, {}, Tensor(arena(), Shape{2, 4}), "c does not fit, got f32 (2, 4), expected f32 (2, 5)");
  expect_refused(b, c7, c, "bias does not fit, got f32 (7), expected f32 (5)");
  expect_refused(b, c, c, "bias does not fit, got f32 (2, 5), expected f32 (5)");
}

// A sum of nothing: what is overwritten becomes zero, what is added to stays.
TEST_P(Contract, SumsOfNothing) {
  const auto holds = [&](const Tensor& tensor, float value) {
    EXPECT_EQ(tensor.to_host<float>(), std::vector<float>(std::size_t(tensor.elements()), value));
  };
  const auto filled = [&](const Shape& shape) {
    return upload(Array(shape, std::vector<double>(std::size_t(shape.elements()), 7.0)));
  };
  for (const GradMode mode : {GradMode::overwrite, GradMode::accumulate}) {
    const float left = mode == GradMode::overwrite ? 0 : 7;
    const Tensor none(arena(), Shape{0, 4, 4, 8}), dw = filled(Shape{8, 3, 3, 8});
    backend().compute(ConvWgrad{{3, 1, 1, false}, none, none, {dw, mode}});
    holds(dw, left);
    const Tensor c = filled(Shape{2, 5});
    backend().compute(
        Gemm{.a = Tensor(arena(), Shape{2, 0}), .b = Tensor(arena(), Shape{0, 5}), .c = {c, mode}});
    holds(c, left);
    const Tensor one = filled(Shape{8}), dscale = filled(Shape{8}), dshift = filled(Shape{8});
    backend().compute(BatchNormBackward{
        none, none, one, one, one, one, 1e-5f, Activation::relu, {none}, {dscale, mode}, {dshift, mode}});
    holds(dscale, left);
    holds(dshift, left);
    const Tensor dsource = filled(Shape{6});
    backend().compute(AssembleBackward{one, Tensor(arena(), Shape{0, 12}, DType::i32), {dsource, mode}});
    holds(dsource, left);
    // One piece, two of six elements, of 7 each: the rest is left or becomes zero.
    const TilePiece piece{1, 2, 1, 1, 2, 1, 1, 2, 3, 2, 0.5f, 0};
    const auto* numbers = reinterpret_cast<const std::int32_t*>(&piece);
    const Tensor table = upload(Shape{1, 12}, std::vector<std::int32_t>(numbers, numbers + 12));
    backend().compute(AssembleBackward{one, table, {dsource, mode}});
    EXPECT_EQ(dsource.to_host<float>(),
              (std::vector<float>{left, left + 3.5f, left + 3.5f, left, left, left}));
  }
  const Tensor score = filled(Shape{2});
  backend().compute(CountHits{Tensor(arena(), Shape{0, 3}), Tensor(arena(), Shape{0}, DType::i32), score});
  holds(score, 7);
}

TEST_P(Contract, ComputesNothingInACountingArena) {
  Arena counting = Arena::counting(backend());
  const Tensor x(counting, Shape{64, 32, 32, 16}), w(counting, Shape{32, 3, 3, 16});
  const Tensor y(counting, Shape{64, 32, 32, 32});
  backend().compute(ConvForward{{3, 1, 1, false}, x, w, y});  // touching these addresses would crash
  EXPECT_GE(counting.peak(), x.bytes() + w.bytes() + y.bytes());
}

TEST_P(Contract, ProfilesByOperator) {
  std::vector<std::string> told;
  Profile profile{.after = [&](const std::string& row, double bytes, double) {
    told.push_back(row);
    EXPECT_EQ(bytes, 3 * 100 * sizeof(float));
  }};
  backend().attach(&profile);
  const Tensor x = upload(random_array(Shape{100}, 1)), y(arena(), Shape{100});
  backend().compute(Add{x, x, y});
  backend().compute(Add{x, x, y});
  backend().attach(nullptr);
  backend().compute(Add{x, x, y});
  ASSERT_EQ(profile.rows.size(), 1u);
  EXPECT_EQ(profile.rows.begin()->first, "add");
  EXPECT_EQ(profile.rows.begin()->second.calls, 2);
  EXPECT_EQ(told, (std::vector<std::string>{"add", "add"}));
}

// More small copies than a device keeps under way at once: each arrives as it was when it was sent.
TEST_P(Contract, ManyCopiesToTheDeviceKeepTheirContents) {
  constexpr int copies = 12;
  constexpr std::int64_t size = 50'000;  // 200 kB each, 2.4 MB in all
  std::vector<Tensor> tensors;
  std::vector<float> values(size);
  for (int i = 0; i < copies; ++i) tensors.emplace_back(arena(), Shape{size});
  for (int i = 0; i < copies; ++i) {
    std::fill(values.begin(), values.end(), static_cast<float>(i));
    tensors[i].copy_from_host(std::span<const float>(values));
  }
  for (int i = 0; i < copies; ++i) {
    EXPECT_EQ(tensors[i].to_host<float>(), std::vector<float>(size, static_cast<float>(i))) << i;
  }
}

ADWP_ON_EVERY_DEVICE(Contract);

}  // namespace
}  // namespace adwp::test
