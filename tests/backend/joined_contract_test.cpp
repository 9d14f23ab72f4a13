// Operators that join several, which a device may compute as one: convolutions in a row, a convolution and
// its norm in both directions. They come to what their parts come to.
#include <utility>

#include "tests/support/device.h"
#include "tests/support/operator_case.h"

namespace adwp::test {
namespace {

using oracle::Array;

class JoinedContract : public DeviceTest {};

// Layers in a row as one operator: every kind of convolution and activation, batches that cannot be cut
// evenly, a single image, with and without a residual.
TEST_P(JoinedContract, AChainIsItsLayersOneAfterTheOther) {
  const auto chain = [&](const Array& x, const std::vector<Conv2d>& convs, std::int64_t filters, bool adds) {
    Array expected = x;
    std::vector<ConvChain::Layer> layers;
    for (const Conv2d& conv : convs) {
      const std::int64_t in = expected.shape.back(), out = conv.depthwise ? in : filters;
      const std::uint64_t stream = 20 + 10 * layers.size();
      const Shape kernel{out, conv.kernel, conv.kernel, conv.depthwise ? 1 : in};
      const Array w = random_array(kernel, stream), scale = random_array(Shape{out}, stream + 3, 0.5, 1.5),
                  shift = random_array(Shape{out}, stream + 4);
      const oracle::Moments given{random_array(Shape{out}, stream + 1),
                                  random_array(Shape{out}, stream + 2, 0.5, 2)};
      const Activation act = all_activations[layers.size() % std::size(all_activations)];
      layers.push_back(
          {conv, upload(w), upload(given.mean), upload(given.var), upload(scale), upload(shift), act});
      expected = oracle::batch_norm(oracle::conv2d(conv, expected, w), given, scale, shift, 1e-5, act);
    }
    const Array residual = random_array(expected.shape, 19);
    if (adds) expected = oracle::add(expected, residual);
    const Tensor y(arena(), expected.shape);
    backend().compute(ConvChain{layers, upload(x), adds ? upload(residual) : Tensor(), 1e-5f, y});
    EXPECT_LE(nmse(to_array(y), expected), 1e-7) << x.shape.text() << " " << convs.size() << " layers";
  };
  const Conv2d point{1, 1, 0, false}, dense{3, 2, 1, false};
  for (const std::int64_t batch : {1, 2, 37}) {
    for (const bool adds : {false, true}) {
      chain(random_array(Shape{batch, 7, 5, 11}, 18), {point}, 16, adds);
      chain(random_array(Shape{batch, 7, 5, 11}, 18), {point, {3, 1, 1, true}, point}, 13, adds);
      chain(random_array(Shape{batch, 8, 8, 16}, 18),
            {dense, {5, 2, 2, true}, point, {7, 1, 3, true}, dense, point}, 24, adds);
    }
  }
  if (GetParam() == "cpu") {  // parts of several images, the last one smaller
    chain(random_array(Shape{37, 16, 16, 32}, 18), {point, {3, 1, 1, true}, point}, 48, true);
  }
}

// A norm that x has yet to go through is applied as if it had been, by the convolution, by the gradient of
// its kernel, and by both with what a norm behind them wants; in one product and where its depth is split, in
// blocks of one image's tiles and of many.
TEST_P(JoinedContract, APendingNormIsAppliedOnTheWay) {
  const auto apply = [&](const Shape& shape, std::int64_t filters, const Conv2d& conv, Activation act) {
    const Shape kernel{filters, conv.kernel, conv.kernel, conv.depthwise ? 1 : shape[3]};
    const Shape c{shape[3]}, f{filters}, out = conv2d_output(conv, shape, kernel);
    const Array x = random_array(shape, 1), w = random_array(kernel, 2), dy = random_array(out, 3);
    const oracle::Moments given{random_array(c, 4), random_array(c, 5, 0.5, 2)};
    const Array scale = random_array(c, 6, 0.5, 1.5), shift = random_array(c, 7);
    const PendingNorm pending{
        upload(given.mean), upload(given.var), upload(scale), upload(shift), 1e-5f, act};
    const Array normed = oracle::batch_norm(x, given, scale, shift, 1e-5, act);
    const std::string text = conv2d_text(conv, shape, kernel) + " " + name_of(act);

    const Array expected = oracle::conv2d(conv, normed, w);
    const Tensor y(arena(), out), dw(arena(), kernel), own(arena(), kernel);
    backend().compute(ConvForward{conv, upload(x), upload(w), y, pending});
    EXPECT_LE(nmse(to_array(y), expected), 1e-7) << text;
    backend().compute(ConvWgrad{conv, upload(x), upload(dy), {dw}, pending});
    backend().compute(ConvWgrad{conv, upload(normed), upload(dy), {own}});
    EXPECT_LE(nmse(to_array(dw), to_array(own)), 1e-9) << text;
    backend().compute(ConvWgrad{conv, upload(x), upload(dy), {dw, GradMode::accumulate}, pending});
    EXPECT_LE(nmse(to_array(dw), oracle::add(to_array(own), to_array(own))), 1e-9) << text;

    // Without z: only the statistics of the norm behind it.
    const Tensor again(arena(), out), mean(arena(), f), var(arena(), f),
        ones = upload(random_array(f, 8, 1, 1));
    backend().compute(ConvBatchNormForward{
        conv, upload(x), upload(w), ones, ones, 1e-5f, Activation::relu, again, {}, mean, var, pending});
    EXPECT_LE(nmse(to_array(again), expected), 1e-7) << text;
    const oracle::Moments moments = oracle::moments(to_array(again));
    EXPECT_LE(nmse(to_array(mean), moments.mean), 1e-10) << text;
    EXPECT_LE(nmse(to_array(var), moments.var), 1e-10) << text;
  };
  const Conv2d point{1, 1, 0, false};
  apply(Shape{2, 9, 9, 40}, 72, point, Activation::sigmoid);       // not 0 where x has no k
  apply(Shape{1, 3, 3, 600}, 8, point, Activation::hard_sigmoid);  // k is split
  apply(Shape{1, 2, 2, 1000}, 8, point, Activation::relu);         // too many channels for shared memory
  apply(Shape{40, 4, 4, 12}, 16, point, Activation::silu);         // of wgrad, k is split
  apply(Shape{3, 5, 5, 7}, 5, point, Activation::none);
  apply(Shape{3, 11, 11, 36}, 36, {3, 1, 1, true}, Activation::sigmoid);  // not 0 at the border
  apply(Shape{2, 11, 11, 8}, 8, {7, 2, 3, true}, Activation::silu);
  apply(Shape{2, 6, 6, 5}, 5, {5, 1, 2, true}, Activation::relu);
  apply(Shape{2, 6, 6, 8}, 12, {3, 1, 1, false}, Activation::hard_swish);
}

// A batch that devices cut into parts: statistics and both gradients of a convolution and its norm are those
// of the operators one after the other, the gradient of the kernel taken image by image.
TEST_P(JoinedContract, AGradientIsTheSumOverImages) {
  const bool small = GetParam() != "cpu";  // where every thread is a fiber
  for (const Conv2d& conv : {Conv2d{3, 1, 1, false}, Conv2d{3, 2, 1, true}, Conv2d{5, 1, 2, true}}) {
    for (const bool adds : {false, true}) {
      const Shape shape{small ? 3 : 21, 16, 16, small ? 8 : 64};
      const Shape kernel{conv.depthwise ? shape[3] : 32, conv.kernel, conv.kernel,
                         conv.depthwise ? 1 : shape[3]};
      const Shape c{kernel[0]}, out = conv2d_output(conv, shape, kernel);
      const Tensor x = upload(random_array(shape, 1, 0, 2)), w = upload(random_array(kernel, 2));
      const Tensor scale = upload(random_array(c, 3, 0.5, 1.5)), shift = upload(random_array(c, 4));
      const Tensor y(arena(), out), z(arena(), out), mean(arena(), c), var(arena(), c);
      backend().compute(
          ConvBatchNormForward{conv, x, w, scale, shift, 1e-5f, Activation::silu, y, z, mean, var});
      const oracle::Moments moments = oracle::moments(to_array(y));
      EXPECT_LE(nmse(to_array(mean), moments.mean), 1e-10);
      EXPECT_LE(nmse(to_array(var), moments.var), 1e-10);

      const Tensor dz = upload(random_array(out, 5)), dy(arena(), out);
      const Array before_x = random_array(shape, 6), before_w = random_array(kernel, 7);
      const Tensor dx = upload(before_x), dw = upload(before_w), dscale(arena(), c), dshift(arena(), c);
      const GradMode mode = adds ? GradMode::accumulate : GradMode::overwrite;
      const ConvBatchNormBackward backward{
          conv,       dz,         x,        w,       y, mean, var, scale, shift, 1e-5f, Activation::silu,
          {dx, mode}, {dw, mode}, {dscale}, {dshift}};
      backend().compute(backward);

      const Tensor own_dx = upload(before_x), own_dw = upload(before_w), own_dscale(arena(), c),
                   own_dshift(arena(), c);
      BatchNormBackward norm = backward.normalization(dy);
      norm.dscale = {own_dscale};
      norm.dshift = {own_dshift};
      backend().compute(norm);
      backend().compute(ConvDgrad{conv, dy, w, {own_dx, mode}});
      for (std::int64_t n = 0; n < shape[0]; ++n) {
        const auto image = [n](const Tensor& t) {
          const Shape& s = t.shape();
          return t.view(n * (t.elements() / s[0]), Shape{1, s[1], s[2], s[3]});
        };
        backend().compute(
            ConvWgrad{conv, image(x), image(dy), {own_dw, n > 0 ? GradMode::accumulate : mode}});
      }
      for (const auto& [found, expected] :
           {std::pair{dx, own_dx}, {dw, own_dw}, {dscale, own_dscale}, {dshift, own_dshift}}) {
        EXPECT_LE(nmse(to_array(found), to_array(expected)), 1e-10) << conv2d_text(conv, shape, kernel);
      }
    }
  }
}

// Statistics out of the convolution's sums: of outputs far from zero against their deviation, in one tile of
// rows and in many, as exact as those of batch norm by itself.
TEST_P(JoinedContract, ConvolutionLeavesExactStatistics) {
  for (const Shape& shape : {Shape{1, 4, 4, 8}, Shape{4, 16, 16, 8}, Shape{3, 13, 11, 3}}) {
    const Conv2d point{1, 1, 0, false};
    const Array x = random_array(shape, 11, 999.5, 1000.5);
    const Array w = random_array(Shape{20, 1, 1, shape[3]}, 12, 0.9, 1.1);
    const Array ones(Shape{20}, std::vector<double>(20, 1.0));
    const Tensor y(arena(), Shape{shape[0], shape[1], shape[2], 20}), z(arena(), y.shape());
    const Tensor mean(arena(), Shape{20}), var(arena(), Shape{20});
    const Tensor scale = upload(ones);
    backend().compute(ConvBatchNormForward{point, upload(x), upload(w), scale, scale, 1e-5f, Activation::none,
                                           y, z, mean, var});
    const oracle::Moments expected = oracle::moments(to_array(y));  // of what was rounded to f32
    EXPECT_LE(nmse(to_array(mean), expected.mean), 1e-14) << shape.text();
    EXPECT_LE(nmse(to_array(var), expected.var), 1e-11) << shape.text();
    const Tensor own_mean(arena(), Shape{20}), own_var(arena(), Shape{20}), own(arena(), y.shape());
    backend().compute(BatchNormForward{y, scale, scale, 1e-5f, Activation::none, own, own_mean, own_var});
    EXPECT_LE(nmse(to_array(var), expected.var), 2 * nmse(to_array(own_var), expected.var) + 1e-14);
    // As for batch norm far from zero: the inputs' own spacing is 5e-4.
    EXPECT_LE(
        nmse(to_array(z), oracle::batch_norm(to_array(y), expected, ones, ones, 1e-5, Activation::none)),
        1e-6);
  }
}

// The same of convolutions that leave sums of tiles of images: depthwise ones, and those of three channels.
TEST_P(JoinedContract, TilesOfImagesLeaveExactStatistics) {
  for (const bool depthwise : {true, false}) {
    for (const std::int64_t stride : {1, 2}) {
      const Conv2d conv{3, stride, 0, depthwise};  // without a border, which would be far from the mean
      const std::int64_t filters = depthwise ? 36 : 32;
      const Array x = random_array(Shape{3, 21, 21, depthwise ? filters : 3}, 13, 999.5, 1000.5);
      const Array w = random_array(Shape{filters, 3, 3, depthwise ? 1 : 3}, 14, 0.9, 1.1);
      const Tensor scale =
          upload(Array(Shape{filters}, std::vector<double>(static_cast<std::size_t>(filters), 1.0)));
      const Tensor y(arena(), conv2d_output(conv, x.shape, w.shape)), z(arena(), y.shape());
      const Tensor mean(arena(), Shape{filters}), var(arena(), Shape{filters});
      backend().compute(ConvBatchNormForward{conv, upload(x), upload(w), scale, scale, 1e-5f,
                                             Activation::none, y, z, mean, var});
      const oracle::Moments expected = oracle::moments(to_array(y));
      EXPECT_LE(nmse(to_array(mean), expected.mean), 1e-14) << y.text();
      EXPECT_LE(nmse(to_array(var), expected.var), 1e-11) << y.text();
    }
  }
}

// So many tiles that devices merge them in steps, with smaller ones at edges; twice, for the same bits.
TEST_P(JoinedContract, ManyTilesLeaveTheSameStatisticsEveryTime) {
  const auto apply = [&](const Shape& shape, std::int64_t filters, const Conv2d& conv) {
    const Array x = random_array(shape, 15, 99.5, 100.5);
    const Array w =
        random_array(Shape{filters, conv.kernel, conv.kernel, conv.depthwise ? 1 : shape[3]}, 16, 0.9, 1.1);
    const Tensor scale = upload(random_array(Shape{filters}, 17));
    const Tensor y(arena(), conv2d_output(conv, shape, w.shape));
    const auto statistics = [&] {
      const Tensor mean(arena(), Shape{filters}), var(arena(), Shape{filters});
      backend().compute(ConvBatchNormForward{
          conv, upload(x), upload(w), scale, scale, 1e-5f, Activation::none, y, {}, mean, var});
      return std::pair(to_array(mean), to_array(var));
    };
    const auto [mean, var] = statistics();
    const oracle::Moments expected = oracle::moments(to_array(y));
    EXPECT_LE(nmse(mean, expected.mean), 1e-14) << y.text();
    EXPECT_LE(nmse(var, expected.var), 1e-10) << y.text();
    const auto [again, again_var] = statistics();
    EXPECT_EQ(again.values, mean.values) << y.text();
    EXPECT_EQ(again_var.values, var.values) << y.text();
  };
  apply(Shape{60, 7, 9, 12}, 12, {3, 1, 1, true});
  apply(Shape{41, 5, 25, 8}, 12, {1, 1, 0, false});
  apply(Shape{40, 9, 17, 3}, 32, {3, 1, 1, false});
}

ADWP_ON_EVERY_DEVICE(JoinedContract);

}  // namespace
}  // namespace adwp::test
