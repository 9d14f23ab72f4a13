// Gradients that lie as bf16 (Backend::storage). Of one operator: the bits of f32, rounded once, for operands
// are the same numbers. Through several: against f32, at what bf16's 8 bits of mantissa cost. And a training.
#include <cmath>
#include <cstring>

#include "tests/cuda/storage.h"

namespace adwp::test {
namespace {

using oracle::Array;

// The mean square error of rounding to 7 bits of mantissa, uniformly spread: (2^-7)^2 / 12 of a value at
// most.
constexpr double rounding = 5.1e-6;

class StorageGradientsTest : public StorageFixture {
 protected:
  // `compute(x, dx, to)` where x are values of one type and `dx` a target of that type: in f32 and in bf16,
  // overwriting and adding. `operands`: values; the result has the shape of `result`.
  template <typename Compute>
  void expect_rounded(const std::string& name, const std::vector<Array>& operands, const Shape& result,
                      const Compute& compute) {
    const Array before = rounded(random_array(result, 50));
    for (const GradMode mode : {GradMode::overwrite, GradMode::accumulate}) {
      const Arena::Frame frame(memory());
      std::vector<Tensor> wide, thin;
      for (const Array& operand : operands) {
        wide.push_back(f32(operand));
        thin.push_back(bf16(operand));
      }
      const Tensor exact = f32(before), found = bf16(before);
      compute(wide, Target{exact, mode});
      compute(thin, Target{found, mode});
      EXPECT_EQ(to_array(found).values, rounded(to_array(exact)).values)
          << name << (mode == GradMode::accumulate ? ", added" : "");
    }
  }

  // The gradients by w, which are f32, of values in f32 and in bf16.
  void expect_same_wgrad(const Convolution& c, const Array& x, const Array& dy, const PendingNorm& pending,
                         double tolerance) {
    for (const GradMode mode : {GradMode::overwrite, GradMode::accumulate}) {
      const Tensor exact = f32(random_array(c.w(), 50)), found = f32(random_array(c.w(), 50));
      narrow().compute(ConvWgrad{c.conv, f32(x), f32(dy), {exact, mode}, pending});
      narrow().compute(ConvWgrad{c.conv, bf16(x), bf16(dy), {found, mode}, pending});
      EXPECT_LE(nmse(to_array(found), to_array(exact)), tolerance) << c.name();
    }
  }

  Array values(const Shape& shape, std::uint64_t stream) { return rounded(random_array(shape, stream)); }
};

TEST_P(StorageGradientsTest, ConvolutionsRoundWhatTheyStoreAndNothingElse) {
  for (const Convolution& c : convolutions()) {
    const Arena::Frame frame(memory());
    const Array x = values(c.x, 1), dy = values(c.y(), 2), w = random_array(c.w(), 3);
    const Tensor weights = f32(w);
    expect_rounded(c.name(), {dy}, c.x, [&](const std::vector<Tensor>& of, const Target& dx) {
      narrow().compute(ConvDgrad{c.conv, of[0], weights, dx});
    });
    expect_same_wgrad(c, x, dy, {}, 0);
  }
}

// A norm on the way in: of pointwise products rounded after it, of depthwise convolutions not at all.
TEST_P(StorageGradientsTest, GradientsByWeightsTakeTheNorm) {
  for (const Convolution& c : convolutions()) {
    if (c.conv.kernel > 1 && !c.conv.depthwise) continue;
    const Arena::Frame frame(memory());
    const Array x = values(c.x, 1), dy = values(c.y(), 2);
    const Shape channels{c.x[3]};
    const PendingNorm norm{f32(random_array(channels, 4)),
                           f32(random_array(channels, 5, 0.5, 1.5)),
                           f32(random_array(channels, 6, 0.5, 1.5)),
                           f32(random_array(channels, 7)),
                           1e-5f,
                           Activation::hard_swish};
    expect_same_wgrad(c, x, dy, norm, c.conv.depthwise ? 0 : rounding);
  }
}

// Images are f32: a kernel of their own, or the gradient made f32 first.
TEST_P(StorageGradientsTest, FirstLayersTakeGradientsInBf16) {
  for (const std::int64_t filters : {24, 64}) {
    for (const std::int64_t stride : {1, 2}) {
      const Arena::Frame frame(memory());
      const Convolution c{{3, stride, 1, false}, Shape{3, 9, 13, 3}, filters};
      const Array x = random_array(c.x, 1), dy = values(c.y(), 2);
      const Tensor weights = f32(random_array(c.w(), 3));
      const Tensor exact = f32(Array(c.w())), found = f32(Array(c.w()));
      narrow().compute(ConvWgrad{c.conv, f32(x), f32(dy), {exact}});
      narrow().compute(ConvWgrad{c.conv, f32(x), bf16(dy), {found}});
      EXPECT_EQ(to_array(found).values, to_array(exact).values) << c.name();
      const Tensor dx = f32(Array(c.x)), narrow_dx = f32(Array(c.x));
      narrow().compute(ConvDgrad{c.conv, f32(dy), weights, {dx}});
      narrow().compute(ConvDgrad{c.conv, bf16(dy), weights, {narrow_dx}});
      EXPECT_EQ(to_array(narrow_dx).values, to_array(dx).values) << c.name();
    }
  }
}

TEST_P(StorageGradientsTest, OtherOperatorsRoundWhatTheyStoreAndNothingElse) {
  for (const Shape& s : {Shape{2, 7, 5, 24}, Shape{3, 3, 3, 5}, Shape{1, 1, 1, 8}}) {
    const Shape wide{s[0], s[1], s[2], s[3] + 8}, pooled{s[0], 1, 1, s[3]};
    const std::string name = s.text();
    expect_rounded("copy " + name, {values(s, 1)}, s, [&](const auto& of, const Target& dx) {
      narrow().compute(CopyGradient{of[0], dx});
    });
    for (const std::int64_t channel : {0, 8}) {
      expect_rounded("concat " + name, {values(wide, 1)}, s, [&](const auto& of, const Target& dx) {
        narrow().compute(ConcatBackward{of[0], channel, dx});
      });
    }
    const Tensor dy = f32(random_array(pooled, 2)), factors = f32(random_array(pooled, 3));
    expect_rounded("pool " + name, {}, s, [&](const auto&, const Target& dx) {
      narrow().compute(GlobalPoolBackward{dy, dx});
    });
    std::vector<Array> sums;
    expect_rounded("scale " + name, {values(s, 1), values(s, 4)}, s, [&](const auto& of, const Target& dx) {
      const Tensor ds(memory(), pooled);
      narrow().compute(ChannelScaleBackward{of[0], of[1], factors, dx, {ds}});
      sums.push_back(to_array(ds));
    });
    for (const Array& sum : sums) EXPECT_EQ(sum.values, sums[0].values) << name;
  }
}

// Two sums a channel, f32 in another order of rows, and a gradient that is rounded once.
TEST_P(StorageGradientsTest, BatchNormIsThatOfF32) {
  for (const Shape& shape : {Shape{4, 9, 9, 40}, Shape{5, 7, 7, 5}, Shape{40, 8, 8, 8}}) {
    for (const Activation act : all_activations) {
      const Arena::Frame frame(memory());
      const Array x = values(shape, 1), dy = values(shape, 2);
      const Shape channels{shape[3]};
      const oracle::Moments moments = oracle::moments(x);
      const Tensor mean = f32(moments.mean), var = f32(moments.var);
      const Tensor scale = f32(random_array(channels, 3, 0.5, 1.5)), shift = f32(random_array(channels, 4));
      const auto backward = [&](const Tensor& from_dy, const Tensor& from_x, const Tensor& dx) {
        const Tensor dscale(memory(), channels), dshift(memory(), channels);
        narrow().compute(BatchNormBackward{
            from_dy, from_x, mean, var, scale, shift, 1e-5f, act, {dx}, {dscale}, {dshift}});
        return std::vector<Array>{to_array(dx), to_array(dscale), to_array(dshift)};
      };
      const std::vector<Array> exact = backward(f32(dy), f32(x), Tensor(memory(), shape));
      const Tensor dx(memory(), shape, DType::bf16);
      const std::vector<Array> found = backward(bf16(dy), bf16(x), dx);
      EXPECT_LE(nmse(found[0], exact[0]), rounding) << name_of(act) << " " << shape.text();
      for (int sum : {1, 2}) EXPECT_LE(nmse(found[sum], exact[sum]), 1e-10) << name_of(act);
      EXPECT_EQ(backward(bf16(dy), bf16(x), dx)[0].values, found[0].values);
    }
  }
}

// Gradients by all operands of a case, for a gradient `direction` by its result; values in bf16 where the
// device stores them so.
std::vector<Array> gradients(Backend& backend, Arena& arena, const OperatorCase& c,
                             const std::vector<Array>& operands, const Array& direction) {
  const bool two = c.name.starts_with("add") || c.name.starts_with("concat");
  const auto upload = [&](const Array& array, DType dtype) {
    if (dtype == DType::bf16) return upload_bf16(arena, array);
    return Tensor::from_host(arena, array.shape, std::span<const float>(to_floats(array)));
  };
  Tape tape(backend, arena, Tape::Recording::on);
  const Variable any = Variable::leaf(upload(Array(Shape{1}), DType::f32), Tensor(arena, Shape{1}));
  std::vector<Tensor> found(operands.size());
  std::vector<Variable> inputs;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (i == 0 || two) {  // a value
      inputs.push_back(tape.record(upload(operands[i], backend.storage()), {&any},
                                   [&to = found[i]](const Tensor& gradient) { to = gradient; }));
    } else {
      found[i] = upload(Array(operands[i].shape), DType::f32);
      inputs.push_back(Variable::leaf(upload(operands[i], DType::f32), found[i]));
    }
  }
  const Variable y = c.device(tape, inputs);
  const Variable loss = tape.record(Tensor(arena, Shape{1}), {&y}, [&](const Tensor&) {
    y.gradient().add(backend, upload(direction, y.value().dtype()));
  });
  tape.backward(loss);
  std::vector<Array> result;
  for (const Tensor& gradient : found) result.push_back(to_array(gradient));
  return result;
}

// The sums of batch norm's backward from the dgrad that makes its gradient: the gradient as without them, and
// what the norm makes of it.
TEST_P(StorageGradientsTest, DgradLeavesTheSumsOfANorm) {
  for (const Convolution& c : convolutions()) {
    for (const Activation act : all_activations) {
      if (act != Activation::relu && c.conv.kernel > 3) continue;
      const Arena::Frame frame(memory());
      const Shape channels{c.x[3]};
      const Tensor x = bf16(values(c.x, 1)), dy = bf16(values(c.y(), 2)), w = f32(random_array(c.w(), 3));
      const oracle::Moments moments = oracle::moments(to_array(x));
      const PendingNorm norm{f32(moments.mean),
                             f32(moments.var),
                             f32(random_array(channels, 6, 0.5, 1.5)),
                             f32(random_array(channels, 7)),
                             1e-5f,
                             act};
      const Tensor plain(memory(), c.x, DType::bf16), dz(memory(), c.x, DType::bf16);
      const Tensor sums(memory(), Shape{2, c.x[3]});
      narrow().compute(ConvDgrad{c.conv, dy, w, {plain}});
      narrow().compute(ConvDgrad{c.conv, dy, w, {dz}, {x, norm, sums}});
      EXPECT_EQ(to_array(dz).values, to_array(plain).values) << c.name();
      const auto backward = [&](const Tensor& given) {
        const Tensor dx(memory(), c.x, DType::bf16);
        const Tensor dscale = f32(Array(channels)), dshift = f32(Array(channels));
        narrow().compute(BatchNormBackward{dz,
                                           x,
                                           norm.mean,
                                           norm.var,
                                           norm.scale,
                                           norm.shift,
                                           norm.epsilon,
                                           act,
                                           {dx},
                                           {dscale, GradMode::accumulate},
                                           {dshift},
                                           given});
        return std::vector<Array>{to_array(dscale), to_array(dshift), to_array(dx)};
      };
      const std::vector<Array> expected = backward({}), found = backward(sums);
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_LE(nmse(found[i], expected[i]), i < 2 ? 1e-9 : rounding) << c.name() << " " << name_of(act);
      }
    }
  }
}

// A product of two roundings is off by 1.0e-5, a case has up to five of them one behind the other. A kink
// adds to that: what lies so near it that rounding moves it across has another derivative. Of two norms in a
// row the second takes away most of what the first one's scale and shift do: what is left is a small
// difference.
double tolerance_of(const OperatorCase& c) {
  if (c.name.find("_then_") != std::string::npos) return 1e-2;
  const bool kinked = c.name.find("relu") != std::string::npos || c.name.find("hard") != std::string::npos;
  return kinked ? 4e-3 : 1e-4;
}

TEST_P(StorageGradientsTest, GradientsOfCasesAreThoseOfF32) {
  std::vector<OperatorCase> cases = convolution_cases();
  for (const auto& more : {normalization_cases(), elementwise_cases(), pooling_cases()}) {
    cases.insert(cases.end(), more.begin(), more.end());
  }
  for (const OperatorCase& c : cases) {
    const bool other = c.name.starts_with("layer_norm") || c.name.starts_with("activation");
    if (other || c.operands[0].shape.elements() == 0) continue;
    const Arena::Frame frame(memory()), frame_of_f32(arena());
    std::vector<Array> operands;
    for (const Operand& o : c.operands) {
      operands.push_back(rounded(random_array(o.shape, 100 + operands.size(), o.low, o.high)));
    }
    const Array direction = values(c.oracle(operands).shape, 200);
    const std::vector<Array> exact = gradients(backend(), arena(), c, operands, direction);
    const std::vector<Array> found = gradients(narrow(), memory(), c, operands, direction);
    const std::vector<Array> again = gradients(narrow(), memory(), c, operands, direction);
    for (std::size_t i = 0; i < operands.size(); ++i) {
      double power = 0;
      for (const double value : exact[i].values) power += value * value;
      if (power >
          1e-8 * static_cast<double>(exact[i].values.size())) {  // else it is zero but for f32's noise
        EXPECT_LE(nmse(found[i], exact[i]), tolerance_of(c)) << c.name << ", operand " << i;
      }
      EXPECT_EQ(found[i].values, again[i].values) << c.name << ", operand " << i;
    }
  }
}

// A small network of what networks are made of, trained for some steps.
class SmallTraining {
 public:
  SmallTraining(Backend& backend, Arena& arena) : backend_(backend), arena_(arena) {
    const auto layer = [&](std::int64_t filters, std::int64_t kernel, std::int64_t channels) {
      const double fan_in = static_cast<double>(kernel * kernel * channels), range = std::sqrt(6 / fan_in);
      add({filters, kernel, kernel, channels}, -range, range);
      add({filters}, 1, 1);
      add({filters}, 0, 0);
    };
    layer(32, 3, 3);
    layer(64, 1, 32);
    layer(64, 3, 1);
    layer(32, 1, 64);
    layer(64, 3, 32);
    add({classes, 64}, -0.1, 0.1);
    add({classes}, 0, 0);
  }

  // The loss before the step.
  double step() {
    const Arena::Frame frame(arena_);
    Tape tape(backend_, arena_, Tape::Recording::on);
    std::vector<Variable> leaves;
    for (const Parameter& p : parameters_) {
      p.gradient.zero();
      leaves.push_back(Variable::leaf(p.value, p.gradient));
    }
    const auto layer = [&](const Variable& x, std::size_t i, const Conv2d& conv, Activation act) {
      return ops::conv2d_batch_norm(tape, conv, x, leaves[3 * i], leaves[3 * i + 1], leaves[3 * i + 2], act);
    };
    const Variable stem = layer(Variable::constant(images()), 0, {3, 1, 1, false}, Activation::relu);
    const Variable wide = layer(stem, 1, {1, 1, 0, false}, Activation::relu);
    const Variable deep = layer(wide, 2, {3, 1, 1, true}, Activation::relu);
    const Variable sum = ops::add(tape, layer(deep, 3, {1, 1, 0, false}, Activation::none), stem);
    const Variable last = layer(sum, 4, {3, 2, 1, false}, Activation::relu);
    const Variable rows = ops::global_pool(tape, last).reshaped(Shape{batch, 64});
    const Variable logits = ops::linear(tape, rows, leaves[15], leaves[16]);
    const Variable loss = ops::cross_entropy(tape, logits, {.labels = labels()});
    tape.backward(loss);
    for (const Parameter& p : parameters_) descend(p);
    return loss.value().to_host<float>()[0];
  }

 private:
  static constexpr std::int64_t batch = 8, side = 8, classes = 4;
  struct Parameter {
    Tensor value, gradient;
  };

  void add(const Shape& shape, double low, double high) {
    const std::vector<float> values = to_floats(random_array(shape, 10 + parameters_.size(), low, high));
    parameters_.push_back(
        {Tensor::from_host(arena_, shape, std::span<const float>(values)), Tensor(arena_, shape)});
  }
  static void descend(const Parameter& p) {
    std::vector<float> value = p.value.to_host<float>();
    const std::vector<float> gradient = p.gradient.to_host<float>();
    for (std::size_t i = 0; i < value.size(); ++i) value[i] -= 0.1f * gradient[i];
    p.value.copy_from_host(std::span<const float>(value));
  }
  // Noise, and a colour that says the class.
  Tensor images() {
    Array x = random_array(Shape{batch, side, side, 3}, 90);
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      const std::size_t image = i / (side * side * 3), label = image % classes;
      if (i % 3 == label) x.values[i] += 0.5;
    }
    return Tensor::from_host(arena_, x.shape, std::span<const float>(to_floats(x)));
  }
  Tensor labels() {
    std::vector<std::int32_t> numbers;
    for (std::int64_t i = 0; i < batch; ++i) numbers.push_back(static_cast<std::int32_t>(i % classes));
    return Tensor::from_host(arena_, Shape{batch}, std::span<const std::int32_t>(numbers));
  }

  Backend& backend_;
  Arena& arena_;
  std::vector<Parameter> parameters_;
};

TEST_P(StorageGradientsTest, LossesOfATrainingAreThoseOfF32) {
  SmallTraining exact(backend(), arena()), found(narrow(), memory());
  double first = 0, last = 0;
  for (int step = 0; step < 16; ++step) {
    const double loss = exact.step();
    (step == 0 ? first : last) = loss;
    EXPECT_NEAR(found.step(), loss, 0.02 * loss) << "step " << step;
  }
  EXPECT_LT(last, 0.75 * first);  // it learns
}

ADWP_ON_EVERY_DEVICE(StorageGradientsTest);

}  // namespace
}  // namespace adwp::test
