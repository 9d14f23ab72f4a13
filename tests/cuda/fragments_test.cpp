// The primitives under the matrix kernels, one warp at a time, against the PTX manual's layouts. On a
// GPU this shows that the emulation's layouts are the hardware's.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "cuda/cuda_backend.h"
#include "cuda/kernels/primitives.h"
#include "framework/core/random.h"
#include "framework/core/tensor.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

class Fragments : public DeviceTest {
 protected:
  void SetUp() override {
    if (GetParam() == "cpu") GTEST_SKIP() << "no CUDA kernels on this device";
    DeviceTest::SetUp();
    if (IsSkipped()) return;
#if defined(ADWP_HAS_CUDA)
    if (GetParam() == "cuda") primitives_ = cuda::primitives();
#endif
    if (GetParam() == "emulated") primitives_ = emulated::primitives();
  }
  // c + a b, with operands as the matrix units see them: `mantissa` bits, the rest rounded away.
  static double rounded(float value, int mantissa) {
    if (value == 0) return 0;
    int exponent = 0;
    const double fraction = std::frexp(double{value}, &exponent);
    const double scale = std::ldexp(1.0, mantissa + 1);
    return std::ldexp(std::nearbyint(fraction * scale) / scale, exponent);
  }
  void expect_product(int depth, int mantissa,
                      const std::function<void(const float*, const float*, float*)>& multiply) {
    const oracle::Array a = random_array(Shape{16, depth}, 41), b = random_array(Shape{depth, 8}, 42);
    const oracle::Array c = random_array(Shape{16, 8}, 43);
    std::vector<float> found = to_floats(c);
    multiply(to_floats(a).data(), to_floats(b).data(), found.data());
    for (int m = 0; m < 16; ++m) {
      for (int n = 0; n < 8; ++n) {
        const int at = m * 8 + n;
        double sum = c.values[at];
        for (int k = 0; k < depth; ++k) {
          sum += rounded(a.values[m * depth + k], mantissa) * rounded(b.values[k * 8 + n], mantissa);
        }
        EXPECT_NEAR(found[at], sum, 2e-6) << m << ", " << n;
      }
    }
  }

  Primitives primitives_;
};

TEST_P(Fragments, MmaTf32) { expect_product(8, 10, primitives_.mma_tf32); }
TEST_P(Fragments, MmaBf16) { expect_product(16, 7, primitives_.mma_bf16); }

TEST_P(Fragments, Ldmatrix) {
  std::vector<std::uint16_t> rows(256);  // row r, column c hold 8 r + c
  std::iota(rows.begin(), rows.end(), std::uint16_t{0});
  for (bool transposed : {false, true}) {
    std::vector<std::uint32_t> found(128);
    primitives_.ldmatrix(transposed, rows.data(), found.data());
    for (int lane = 0; lane < 32; ++lane) {
      for (int matrix = 0; matrix < 4; ++matrix) {
        const int group = lane / 4, pair = lane % 4 * 2;
        auto element = [&](int row, int column) -> std::uint32_t { return (matrix * 8 + row) * 8 + column; };
        const std::uint32_t low = transposed ? element(pair, group) : element(group, pair);
        const std::uint32_t high = transposed ? element(pair + 1, group) : element(group, pair + 1);
        EXPECT_EQ(found[lane * 4 + matrix], low | high << 16);
      }
    }
  }
}

TEST_P(Fragments, AsynchronousCopies) {
  const std::vector<float> x = to_floats(random_array(Shape{256}, 44));
  std::vector<std::int32_t> valid(64);
  for (std::size_t i = 0; i < 64; ++i) valid[i] = i % 3 != 0;
  std::vector<float> wide(256, -1.0f), narrow(256, -1.0f);
  primitives_.copy(x.data(), valid.data(), wide.data(), narrow.data());
  for (std::size_t i = 0; i < 256; ++i) {
    const float expected = valid[i / 4] != 0 ? x[i] : 0.0f;
    EXPECT_EQ(wide[i], expected);
    EXPECT_EQ(narrow[i], expected);
  }
}

ADWP_ON_EVERY_DEVICE(Fragments);

// Products with operands rounded to TF32 and bf16: against the oracle, at what that rounding costs.
class Precisions : public testing::TestWithParam<Precision> {
 protected:
  Tensor upload(const oracle::Array& array) {
    return Tensor::from_host(arena, array.shape, std::span<const float>(to_floats(array)));
  }

  const double tolerance =
      GetParam() == Precision::f32 ? 1e-12 : (GetParam() == Precision::tf32 ? 3e-7 : 2e-5);
  const std::unique_ptr<Backend> backend = emulated::open({.precision = GetParam()});
  Arena arena{*backend, std::size_t{32} << 20};
};

TEST_P(Precisions, ProductsAndConvolutionsStayWithinTheirRounding) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{140, 72, 36}, {32, 16, 600}, {20, 12, 8}}) {
    for (bool transpose_a : {false, true}) {
      for (bool transpose_b : {false, true}) {
        const oracle::Array a = random_array(transpose_a ? Shape{k, m} : Shape{m, k}, 51);
        const oracle::Array b = random_array(transpose_b ? Shape{n, k} : Shape{k, n}, 52);
        const Tensor c(arena, Shape{m, n});
        backend->compute(Gemm{transpose_a, transpose_b, upload(a), upload(b), {}, Activation::none, {c}});
        oracle::Array expected(Shape{m, n});
        for (std::int64_t i = 0; i < m; ++i) {
          for (std::int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (std::int64_t d = 0; d < k; ++d) {
              sum += a.values[transpose_a ? d * m + i : i * k + d] *
                     b.values[transpose_b ? j * k + d : d * n + j];
            }
            expected.values[i * n + j] = sum;
          }
        }
        EXPECT_LT(nmse(to_array(c), expected), tolerance) << m << " " << transpose_a << transpose_b;
      }
    }
  }
}

// The convolution rounds its operands; the statistics are of what it made, and exact.
TEST_P(Precisions, MomentsAreThoseOfTheConvolutionsOutput) {
  const Shape channels{72};
  const oracle::Array scale = random_array(channels, 58, 0.5, 1.5), shift = random_array(channels, 59);
  const Tensor x = upload(random_array(Shape{3, 9, 8, 12}, 56, 0, 50));
  const Tensor w = upload(random_array(Shape{72, 3, 3, 12}, 57, 0, 1));
  const Tensor y(arena, Shape{3, 9, 8, 72}), z(arena, y.shape()), plain(arena, y.shape());
  const Tensor mean(arena, channels), var(arena, channels);
  const Conv2d conv{3, 1, 1, false};
  backend->compute(ConvBatchNormForward{conv, x, w, upload(scale), upload(shift), 1e-5f, Activation::silu, y,
                                        z, mean, var});
  backend->compute(ConvForward{conv, x, w, plain});
  EXPECT_EQ(y.to_host<float>(), plain.to_host<float>());
  const oracle::Moments expected = oracle::moments(to_array(y));
  EXPECT_LT(nmse(to_array(mean), expected.mean), 1e-14);
  EXPECT_LT(nmse(to_array(var), expected.var), 1e-12);
  EXPECT_LT(
      nmse(to_array(z), oracle::batch_norm(to_array(y), expected, scale, shift, 1e-5, Activation::silu)),
      1e-10);
}

std::string name_of_precision(const testing::TestParamInfo<Precision>& info) {
  return info.param == Precision::f32 ? "f32" : (info.param == Precision::tf32 ? "tf32" : "bf16");
}
INSTANTIATE_TEST_SUITE_P(Emulated, Precisions,
                         testing::Values(Precision::f32, Precision::tf32, Precision::bf16),
                         name_of_precision);

}  // namespace
}  // namespace adwp::test
