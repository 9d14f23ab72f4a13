// Values and gradients that lie as bf16 between operators (Backend::storage), on the devices whose kernels
// are written here: every operator of a forward pass against the oracle, and to the bit against f32 where
// only the rounding of what is stored differs. Gradients: storage_gradients_test.cpp.
#include "tests/cuda/storage.h"

#include "framework/core/error.h"

namespace adwp::test {
namespace {

using oracle::Array;

constexpr double tolerance = 1e-4;  // rounding to 7 bits of mantissa: 1.3e-6 a value, 1.0e-5 a product

class StorageTest : public StorageFixture {
 protected:
  // What a convolution of values in f32 makes when only products are in bf16.
  Array unstored(const Conv2d& conv, const Array& x, const Array& w) {
    const Tensor y(memory(), conv2d_output(conv, x.shape, w.shape));
    narrow().compute(ConvForward{conv, f32(x), f32(w), y});
    return to_array(y);
  }
};

TEST_P(StorageTest, IsOneOfThePrecision) {
  EXPECT_EQ(narrow().storage(), DType::bf16);
  EXPECT_EQ(backend().storage(), DType::f32);
  EXPECT_EQ(open({.precision = Precision::tf32})->storage(), DType::f32);
  EXPECT_EQ(open({.precision = Precision::bf16, .level = KernelLevel::tiled})->storage(), DType::f32);
  for (const auto recording : {Tape::Recording::on, Tape::Recording::off}) {
    EXPECT_EQ(Tape(narrow(), memory(), recording).value(Shape{1}).dtype(), DType::bf16);
  }
}

TEST_P(StorageTest, ResultsAreTheOracles) {
  std::vector<OperatorCase> cases = convolution_cases();
  for (const auto& more : {normalization_cases(), elementwise_cases(), pooling_cases()}) {
    cases.insert(cases.end(), more.begin(), more.end());
  }
  for (const OperatorCase& c : cases) {
    if (c.name.starts_with("layer_norm") || c.name.starts_with("activation")) continue;
    const bool two = c.name.starts_with("add") || c.name.starts_with("concat");
    const bool convolves = c.operands.size() > 1 && c.operands[1].shape.rank() == 4 && !two;
    for (const bool from_f32 : {false, true}) {
      if (from_f32 && !convolves) continue;
      const Arena::Frame frame(memory());
      Tape tape(narrow(), memory(), Tape::Recording::off);
      std::vector<Array> operands;
      std::vector<Variable> inputs;
      for (const Operand& o : c.operands) {
        const bool value = operands.empty() || two;
        operands.push_back(rounded(random_array(o.shape, 100 + operands.size(), o.low, o.high)));
        inputs.push_back(
            Variable::constant(value && !from_f32 ? bf16(operands.back()) : f32(operands.back())));
      }
      const std::string name = c.name + (from_f32 ? " from f32" : "");
      const Tensor found = c.device(tape, inputs).value();
      EXPECT_LE(nmse(to_array(found), c.oracle(operands)), tolerance) << name;
      EXPECT_EQ(found.dtype() == DType::f32,
                c.name.starts_with("global_pool") || (c.name.starts_with("channel_scale") && from_f32))
          << name;
      const Tensor again = c.device(tape, inputs).value();
      EXPECT_EQ(to_array(found).values, to_array(again).values) << name;
    }
  }
}

// From bf16 to bf16 a convolution multiplies and sums as from f32 to f32: the same bits, rounded once.
TEST_P(StorageTest, ConvolutionsRoundWhatTheyStoreAndNothingElse) {
  for (const Convolution& c : convolutions()) {
    const Arena::Frame frame(memory());
    const Array x = rounded(random_array(c.x, 1)), w = random_array(c.w(), 2);
    const Tensor y(memory(), conv2d_output(c.conv, c.x, c.w()), DType::bf16);
    narrow().compute(ConvForward{c.conv, bf16(x), f32(w), y});
    EXPECT_EQ(to_array(y).values, rounded(unstored(c.conv, x, w)).values) << c.name();
  }
  for (const std::int64_t filters :
       {24, 64}) {  // images, which are f32: products of single elements, a kernel
    const Convolution c{{3, 1, 1, false}, Shape{3, 9, 13, 3}, filters};
    const Array x = random_array(c.x, 1), w = random_array(c.w(), 2);
    const Tensor y(memory(), conv2d_output(c.conv, c.x, c.w()), DType::bf16);
    narrow().compute(ConvForward{c.conv, f32(x), f32(w), y});
    EXPECT_EQ(to_array(y).values, rounded(unstored(c.conv, x, w)).values) << c.name();
  }
}

TEST_P(StorageTest, StatisticsAreThoseOfWhatIsStored) {
  std::vector<Convolution> all = convolutions();
  for (const std::int64_t filters : {24, 64}) {
    all.push_back({{3, 1, 1, false}, Shape{3, 9, 13, 3}, filters});
  }
  for (const Convolution& c : all) {
    const Arena::Frame frame(memory());
    const Array x = rounded(random_array(c.x, 1, 1, 2)), w = random_array(c.w(), 2, 0.5, 1);  // far from zero
    const Shape channels{c.filters};
    const Array ones = random_array(channels, 3, 1, 1);
    const Tensor y(memory(), conv2d_output(c.conv, c.x, c.w()), DType::bf16);
    const Tensor z(memory(), y.shape(), DType::bf16), mean(memory(), channels), var(memory(), channels);
    narrow().compute(ConvBatchNormForward{c.conv, c.x[3] == 3 ? f32(x) : bf16(x), f32(w), f32(ones),
                                          f32(ones), 1e-5f, Activation::none, y, z, mean, var});
    const oracle::Moments moments = oracle::moments(to_array(y));
    EXPECT_LE(nmse(to_array(mean), moments.mean), 1e-11) << c.name();
    EXPECT_LE(nmse(to_array(var), moments.var), 1e-9) << c.name();
  }
}

// Batch norm with given statistics, as inference has it, and what is added behind it.
TEST_P(StorageTest, ChainsAreTheOracles) {
  const Shape shape{2, 9, 9, 40};
  const Array x = rounded(random_array(shape, 1)), residual = rounded(random_array(Shape{2, 9, 9, 24}, 2));
  std::vector<ConvChain::Layer> layers;
  Array expected = x;
  const auto layer = [&](const Conv2d& conv, std::int64_t filters, Activation act) {
    const std::int64_t channels = expected.shape[3], depth = conv.depthwise ? 1 : channels;
    const Shape c{filters};
    const Array w = random_array(Shape{filters, conv.kernel, conv.kernel, depth}, 3);
    const oracle::Moments moments{random_array(c, 4), random_array(c, 5, 0.5, 1.5)};
    const Array scale = random_array(c, 6, 0.5, 1.5), shift = random_array(c, 7);
    layers.push_back({conv, f32(w), f32(moments.mean), f32(moments.var), f32(scale), f32(shift), act});
    expected = oracle::batch_norm(oracle::conv2d(conv, expected, w), moments, scale, shift, 1e-5, act);
  };
  layer({1, 1, 0, false}, 96, Activation::relu);
  layer({5, 1, 2, true}, 96, Activation::hard_swish);
  layer({1, 1, 0, false}, 24, Activation::none);
  expected = oracle::add(expected, residual);
  const Tensor y(memory(), expected.shape, DType::bf16);
  narrow().compute(ConvChain{layers, bf16(x), bf16(residual), 1e-5f, y});
  EXPECT_LE(nmse(to_array(y), expected), tolerance);
}

TEST_P(StorageTest, TypesThatDoNotFitAreRefused) {
  const Tensor narrow_x(memory(), Shape{1, 4, 4, 8}, DType::bf16), x(memory(), narrow_x.shape());
  const Tensor w(memory(), Shape{8, 3, 3, 8});
  EXPECT_THROW(narrow().compute(ConvForward{{3, 1, 1, false}, narrow_x, w, x}), Error);
  EXPECT_THROW(narrow().compute(Add{narrow_x, x, x}), Error);
  EXPECT_THROW(narrow().compute(ConvDgrad{{3, 1, 1, false}, x, w, {narrow_x}}), Error);
  EXPECT_THROW(narrow().compute(ConvWgrad{{3, 1, 1, false}, narrow_x, x, {w}}), Error);
  EXPECT_THROW(narrow().compute(CopyGradient{x, {narrow_x}}), Error);
}

ADWP_ON_EVERY_DEVICE(StorageTest);

}  // namespace
}  // namespace adwp::test
