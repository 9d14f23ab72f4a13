// 3 x 3 convolutions of many channels, which the cpu device computes by Winograd's algorithm: every pass
// against the oracle. Shapes are those that winograd_pays (cpu/convolution.h) takes, and the first that it
// does not; parts of several images, a smaller last one, channels and pixels that fill no block.
#include <gtest/gtest.h>

#include "tests/support/device.h"

namespace adwp::test {
namespace {

using oracle::Array;

constexpr Conv2d three{3, 1, 1, false};

class Winograd : public DeviceTest {};

// The kernel by which dx is a convolution of dy: turned by half a turn, channels and filters exchanged.
Array turned(const Array& w) {
  const std::int64_t filters = w.shape[0], channels = w.shape[3];
  Array result(Shape{channels, 3, 3, filters});
  for (std::int64_t k = 0; k < filters; ++k) {
    for (std::int64_t tap = 0; tap < 9; ++tap) {
      for (std::int64_t c = 0; c < channels; ++c) {
        result.values[(c * 9 + 8 - tap) * filters + k] = w.values[(k * 9 + tap) * channels + c];
      }
    }
  }
  return result;
}

double product(const Array& a, const Array& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
  return sum;
}

struct Size {
  Shape x;
  std::int64_t filters;
};
const Size sizes[] = {{Shape{17, 16, 16, 64}, 48},
                      {Shape{3, 32, 32, 32}, 40},
                      {Shape{9, 15, 13, 50}, 65},
                      {Shape{2, 32, 32, 31}, 32},
                      {Shape{2, 16, 16, 256}, 40}};  // so many channels that oneDNN blocks their blocks

TEST_P(Winograd, ForwardAndDgradAreTheOracles) {
  for (const auto& [shape, filters] : sizes) {
    const Shape kernel{filters, 3, 3, shape[3]}, out = conv2d_output(three, shape, kernel);
    const Array x = random_array(shape, 1), w = random_array(kernel, 2), dy = random_array(out, 3);
    const Tensor y(arena(), out), dx(arena(), shape);
    backend().compute(ConvForward{three, upload(x), upload(w), y});
    EXPECT_LE(nmse(to_array(y), oracle::conv2d(three, x, w)), 1e-10) << conv2d_text(three, shape, kernel);
    backend().compute(ConvDgrad{three, upload(dy), upload(w), {dx}});
    EXPECT_LE(nmse(to_array(dx), oracle::conv2d(three, dy, turned(w))), 1e-10)
        << conv2d_text(three, shape, kernel);
  }
}

// dw is right when its product with any kernel is that of dy with what the kernel makes of x.
TEST_P(Winograd, WgradAgreesWithForwardAlongManyKernels) {
  for (const auto& [shape, filters] : sizes) {
    const Shape kernel{filters, 3, 3, shape[3]}, out = conv2d_output(three, shape, kernel);
    const Array x = random_array(shape, 1), dy = random_array(out, 3);
    const Tensor dw(arena(), kernel);
    backend().compute(ConvWgrad{three, upload(x), upload(dy), {dw}});
    const Array found = to_array(dw);
    Array expected(Shape{20}), along_found(Shape{20});
    for (std::int64_t i = 0; i < 20; ++i) {
      Array along(kernel);
      if (i < 16) {
        along.values[i * (along.values.size() - 1) / 15] = 1;  // a single element
      } else {
        along = random_array(kernel, 10 + i);
      }
      expected.values[i] = product(dy, oracle::conv2d(three, x, along));
      along_found.values[i] = product(found, along);
    }
    EXPECT_LE(nmse(along_found, expected), 1e-10) << conv2d_text(three, shape, kernel);
  }
}

// Of batches with a smaller last part, and of many parts.
TEST_P(Winograd, AChainIsItsLayersOneAfterTheOther) {
  for (const std::int64_t batch : {9, 65}) {
    const Array x = random_array(Shape{batch, 16, 16, 40}, 1);
    Array expected = x;
    std::vector<ConvChain::Layer> layers;
    for (const std::int64_t filters : {64, 32}) {
      const std::uint64_t stream = 20 + 10 * layers.size();
      const Shape kernel{filters, 3, 3, expected.shape[3]}, c{filters};
      const Array w = random_array(kernel, stream), scale = random_array(c, stream + 3, 0.5, 1.5),
                  shift = random_array(c, stream + 4);
      const oracle::Moments given{random_array(c, stream + 1), random_array(c, stream + 2, 0.5, 2)};
      const Activation act = layers.empty() ? Activation::relu : Activation::none;
      layers.push_back(
          {three, upload(w), upload(given.mean), upload(given.var), upload(scale), upload(shift), act});
      expected = oracle::batch_norm(oracle::conv2d(three, expected, w), given, scale, shift, 1e-5, act);
    }
    const Tensor y(arena(), expected.shape);
    backend().compute(ConvChain{layers, upload(x), {}, 1e-5f, y});
    EXPECT_LE(nmse(to_array(y), expected), 1e-10) << "batch " << batch;
  }
}

// Products of this size take minutes where every thread is a fiber.
INSTANTIATE_TEST_SUITE_P(Device, Winograd, ::testing::Values("cpu"));

}  // namespace
}  // namespace adwp::test
