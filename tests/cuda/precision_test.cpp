// Products on the matrix units: every pass in TF32 and bf16, and products of few rows, on the devices whose
// kernels are written here.
//
// Rounding an operand to a mantissa of b bits is off by 2^-b / 2 at most, uniformly spread, so that a product
// of two has a mean square error of 2 (2^-b)^2 / 12: 1.6e-7 for TF32's 10 bits, 1.0e-5 for bf16's 7. Sums do
// not change that. Twice as much is allowed; none at all would be f32 under another name.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "cuda/cuda_backend.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

using oracle::Array;

class PrecisionTest : public DeviceTest {
 protected:
  void SetUp() override {
    if (GetParam() == "cpu") GTEST_SKIP() << "no CUDA kernels on this device";
    DeviceTest::SetUp();
  }

  static std::unique_ptr<Backend> open(Precision precision) {
    const GpuOptions options{.precision = precision};
#if defined(ADWP_HAS_CUDA)
    if (GetParam() == "cuda") return cuda::open(options);
#endif
    return emulated::open(options);
  }

  // `work(backend, upload, result)` of the shape in each precision, against f32, which is held to the oracle
  // elsewhere.
  template <typename Work>
  static void expect_rounded(const std::string& name, const Shape& shape, const Work& work) {
    const auto compute = [&](Precision precision) {
      const auto backend = open(precision);
      Arena arena(*backend, std::size_t{16} << 20, Arena::Options{.guard = true});
      const auto upload = [&](const Array& array) {
        return Tensor::from_host(arena, array.shape, std::span<const float>(to_floats(array)));
      };
      const Tensor result(arena, shape);
      work(*backend, upload, result);
      return to_array(result);
    };
    const Array exact = compute(Precision::f32);
    for (const auto& [precision, bound] : {std::pair{Precision::tf32, 3.2e-7}, {Precision::bf16, 2.0e-5}}) {
      const double error = nmse(compute(precision), exact);
      EXPECT_LT(error, bound) << name << " in precision " << static_cast<int>(precision);
      EXPECT_GT(error, bound / 20) << name << " in precision " << static_cast<int>(precision);
    }
  }
};

TEST_P(PrecisionTest, ConvolutionsInAllPasses) {
  struct Case {
    std::int64_t kernel, stride, channels, filters, side;
  };
  for (const Case& c : {Case{3, 1, 12, 72, 9}, Case{3, 2, 8, 20, 10}, Case{1, 1, 16, 8, 7},
                        Case{1, 2, 8, 68, 6}, Case{5, 1, 4, 16, 6}}) {
    const Conv2d conv{c.kernel, c.stride, c.kernel / 2, false};
    const Array x = random_array(Shape{3, c.side, c.side, c.channels}, 1);
    const Array w = random_array(Shape{c.filters, c.kernel, c.kernel, c.channels}, 2);
    const Array dy = random_array(conv2d_output(conv, x.shape, w.shape), 3);
    const std::string name =
        fmt::format("{}x{} s{} {} to {}", c.kernel, c.kernel, c.stride, c.channels, c.filters);
    expect_rounded(name + " forward", dy.shape, [&](Backend& backend, const auto& upload, const Tensor& y) {
      backend.compute(ConvForward{conv, upload(x), upload(w), y});
    });
    expect_rounded(name + " dgrad", x.shape, [&](Backend& backend, const auto& upload, const Tensor& dx) {
      backend.compute(ConvDgrad{conv, upload(dy), upload(w), {dx}});
    });
    expect_rounded(name + " wgrad", w.shape, [&](Backend& backend, const auto& upload, const Tensor& dw) {
      backend.compute(ConvWgrad{conv, upload(x), upload(dy), {dw}});
    });
  }
}

// x goes through its norm in f32, and is rounded behind it.
TEST_P(PrecisionTest, InputsWithANormToGoThrough) {
  const Conv2d point{1, 1, 0, false};
  const Shape shape{3, 7, 7, 40}, kernel{72, 1, 1, 40}, channels{40};
  const Array x = random_array(shape, 1, 3, 5), w = random_array(kernel, 2);
  const Array mean = random_array(channels, 3, 3.9, 4.1), var = random_array(channels, 4, 0.2, 0.5);
  const Array scale = random_array(channels, 5, 0.5, 1.5), shift = random_array(channels, 6);
  const Array dy = random_array(conv2d_output(point, shape, kernel), 7);
  const auto pending = [&](const auto& upload) {
    return PendingNorm{upload(mean), upload(var), upload(scale), upload(shift), 1e-5f, Activation::silu};
  };
  expect_rounded("forward", dy.shape, [&](Backend& backend, const auto& upload, const Tensor& y) {
    backend.compute(ConvForward{point, upload(x), upload(w), y, pending(upload)});
  });
  expect_rounded("wgrad", kernel, [&](Backend& backend, const auto& upload, const Tensor& dw) {
    backend.compute(ConvWgrad{point, upload(x), upload(dy), {dw}, pending(upload)});
  });
  expect_rounded("with statistics", dy.shape, [&](Backend& backend, const auto& upload, const Tensor& y) {
    const Array ones = random_array(Shape{72}, 8, 1, 1);
    const Tensor own_mean = upload(ones), own_var = upload(ones);
    backend.compute(ConvBatchNormForward{point,
                                         upload(x),
                                         upload(w),
                                         upload(ones),
                                         upload(ones),
                                         1e-5f,
                                         Activation::none,
                                         y,
                                         {},
                                         own_mean,
                                         own_var,
                                         pending(upload)});
  });
}

TEST_P(PrecisionTest, GemmInAllForms) {
  const std::int64_t m = 132, n = 68, k = 40;
  for (const auto& [of_a, of_b] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
    const Array a = random_array(of_a ? Shape{k, m} : Shape{m, k}, 4);
    const Array b = random_array(of_b ? Shape{n, k} : Shape{k, n}, 5);
    expect_rounded(fmt::format("gemm {}{}", of_a, of_b), Shape{m, n},
                   [&](Backend& backend, const auto& upload, const Tensor& c) {
                     backend.compute(Gemm{of_a, of_b, upload(a), upload(b), {}, Activation::none, {c}});
                   });
  }
}

// The kernel of few rows ends at 8; it multiplies in f32 in every precision.
TEST_P(PrecisionTest, ProductsOfFewRows) {
  const std::int64_t n = 37, k = 70;
  for (std::int64_t m = 1; m <= 9; ++m) {
    const Array x = random_array(Shape{m, k}, 5), w = random_array(Shape{n, k}, 6);
    const Array bias = random_array(Shape{n}, 7);
    for (const Activation act : all_activations) {
      const Tensor c(arena(), Shape{m, n});
      backend().compute(Gemm{false, true, upload(x), upload(w), upload(bias), act, {c}});
      EXPECT_LT(nmse(to_array(c), oracle::gemm(false, true, x, w, bias, act)), 1e-11) << m;
    }
  }
}

// Products that would be split along k, or go to the kernel of few rows, were they not asked for this.
TEST_P(PrecisionTest, RowsOfABatchInvariantProductHaveBitsOfTheirOwn) {
  const std::int64_t most = 300, n = 36, k = 600;
  const Array x = random_array(Shape{most, k}, 5), w = random_array(Shape{n, k}, 6);
  const Array bias = random_array(Shape{n}, 7);
  for (const Precision precision : {Precision::f32, Precision::tf32, Precision::bf16}) {
    const auto backend = open(precision);
    ASSERT_TRUE(backend->batch_invariant());
    Arena arena(*backend, std::size_t{4} << 20, Arena::Options{.guard = true});
    const auto upload = [&](const Array& array) {
      return Tensor::from_host(arena, array.shape, std::span<const float>(to_floats(array)));
    };
    const Tensor all = upload(x), weights = upload(w), shift = upload(bias);
    const auto rows = [&](std::int64_t first, std::int64_t count, bool invariant) {
      const Tensor c(arena, Shape{count, n});
      backend->compute(Gemm{.transpose_b = true,
                            .a = all.view(first * k, Shape{count, k}),
                            .b = weights,
                            .bias = shift,
                            .act = Activation::relu,
                            .c = {c},
                            .batch_invariant = invariant});
      return c.to_host<float>();
    };
    const std::vector<float> expected = rows(0, most, true);
    for (const auto& [first, count] : {std::pair{0, 1}, {7, 8}, {129, 9}, {100, 130}, {299, 1}}) {
      EXPECT_TRUE(
          std::ranges::equal(rows(first, count, true), std::span(expected).subspan(first * n, count * n)))
          << count << " rows from " << first << " in precision " << static_cast<int>(precision);
    }
    EXPECT_NE(rows(0, most, false), expected) << "or this shape shows nothing";
  }
}

ADWP_ON_EVERY_DEVICE(PrecisionTest);

}  // namespace
}  // namespace adwp::test
