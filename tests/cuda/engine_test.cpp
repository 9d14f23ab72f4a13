// Engines: which there are, how one is chosen, and that cuDNN and cuBLAS compute what the kernels here do.
#define ADWP_GPU emulated
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "cuda/cuda_backend.h"
#include "cuda/kernels/product.h"
#include "cuda/runtime/engine.h"
#include "framework/core/error.h"
#include "tests/support/device.h"
#if defined(ADWP_HAS_VENDOR)
#include "cuda/vendor/library.h"
#endif

namespace adwp::test {
namespace {

using oracle::Array;

template <typename Work>
std::pair<Fault, std::string> error_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return {error.fault(), error.what()};
  }
  return {Fault::failed, "no error"};
}

TEST(Engine, DevicesWithOneEngineRefuseOthers) {
  for (const char* engine : {"vendor", "auto"}) {
    for (const std::string& name : apps::devices().names()) {
      if (name == "cuda") continue;
      const auto [fault, message] = error_of([&] { apps::devices(0, "f32", engine).open(name); });
      EXPECT_EQ(fault, Fault::usage) << message;
      EXPECT_NE(message.find("--engine"), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }
}

// Does GEMMs, in its own way and as slowly as it is told to; asked for a convolution, only counts.
class Fake : public emulated::VendorProducts {
 public:
  std::string description() const override { return "fake"; }
  std::size_t workspace_bytes() const override { return 1000; }
  bool compute(const Gemm& op, void*) override {
    if (!able) return false;
    std::this_thread::sleep_for(delay);
    ++calls;
    float& c = *op.c.tensor.data<float>();
    c = op.c.adds() ? c + mark : mark;
    return true;
  }
  bool compute(const ConvForward&, void*) override { return ++forward, false; }
  bool compute(const ConvDgrad&, void*) override { return ++dgrad, false; }
  bool compute(const ConvWgrad&, void*) override { return ++wgrad, false; }

  static constexpr float mark = 1000;  // its sum, where that of the kernels here is k
  bool able = true;
  std::chrono::milliseconds delay{0};
  int calls = 0, forward = 0, dgrad = 0, wgrad = 0;
};

class Opened : public emulated::EngineBackend {
 public:
  using EngineBackend::EngineBackend;
  using EngineBackend::workspace;
};

class Choice : public testing::Test {
 protected:
  void open(Engine engine) {
    auto fake = std::make_unique<Fake>();
    fake_ = fake.get();
    result_ = {};
    arena_.reset();
    backend_ = std::make_unique<Opened>(GpuOptions{.engine = engine}, std::move(fake));
    arena_ = std::make_unique<Arena>(*backend_, 1 << 20);
    result_ = tensor(Shape{1, 1});
  }
  Tensor tensor(Shape shape) {
    const std::vector<float> ones(shape.elements(), 1.0f);
    return Tensor::from_host(*arena_, shape, std::span<const float>(ones));
  }
  // 1 x 1 x k, of ones.
  Gemm product(std::int64_t k, GradMode mode) {
    return {.a = tensor(Shape{1, k}), .b = tensor(Shape{k, 1}), .c = {result_, mode}};
  }
  float result() { return result_.to_host<float>()[0]; }
  // Who computed what stands in the result in the end.
  std::string run(std::int64_t k, GradMode mode = GradMode::overwrite) {
    const float before = mode == GradMode::accumulate ? result() : 0;
    backend_->compute(product(k, mode));
    return result() - before == k ? "hand" : result() - before == Fake::mark ? "vendor" : "nobody";
  }

  std::unique_ptr<Opened> backend_;
  std::unique_ptr<Arena> arena_;
  Tensor result_;
  Fake* fake_ = nullptr;
};

constexpr GradMode accumulate = GradMode::accumulate;

TEST(Engine, HandIsNoChoice) {
  const std::unique_ptr<Backend> backend = emulated::open();
  EXPECT_EQ(dynamic_cast<emulated::EngineBackend*>(backend.get()), nullptr);
  EXPECT_EQ(backend->description().find(", by "), std::string::npos) << backend->description();
  EXPECT_TRUE(backend->notes().empty());
}

TEST_F(Choice, VendorIsReplacedWhereItCannot) {
  open(Engine::vendor);
  EXPECT_TRUE(backend_->description().ends_with(", products in f32, by fake")) << backend_->description();
  EXPECT_EQ(run(1), "vendor");
  EXPECT_EQ(run(1, accumulate), "vendor");
  EXPECT_EQ(fake_->calls, 2);
  fake_->able = false;
  EXPECT_EQ(run(1), "hand");
  EXPECT_EQ(run(1, accumulate), "hand");
}

TEST_F(Choice, BatchInvariantProductsAreDoneByHand) {
  for (const Engine engine : {Engine::vendor, Engine::automatic}) {
    open(engine);
    Gemm op = product(1, GradMode::overwrite);
    op.batch_invariant = true;
    backend_->compute(op);
    EXPECT_EQ(result(), 1);
    EXPECT_EQ(fake_->calls, 0);
  }
}

TEST_F(Choice, AutomaticRemembersTheFaster) {
  open(Engine::automatic);
  EXPECT_TRUE(backend_->description().ends_with(", by the faster of hand and fake"))
      << backend_->description();
  EXPECT_EQ(run(1), "vendor");
  const int measured = fake_->calls;
  EXPECT_GT(measured, 2);
  fake_->delay = std::chrono::milliseconds(20);  // measured once: what has changed since is not seen
  EXPECT_EQ(run(1), "vendor");
  EXPECT_EQ(run(1, accumulate), "vendor");
  EXPECT_EQ(fake_->calls, measured + 2);
  EXPECT_EQ(run(2), "hand");  // another shape
  fake_->delay = std::chrono::milliseconds(0);
  const int both = fake_->calls;
  EXPECT_EQ(run(2), "hand");
  EXPECT_EQ(run(2, accumulate), "hand");
  EXPECT_EQ(fake_->calls, both);
}

// A weight gradient always accumulates: its result is saved while it is timed, and added to once.
TEST_F(Choice, AutomaticMeasuresSumsWithoutTouchingTheResult) {
  open(Engine::automatic);
  const float five = 5;
  result_.copy_from_host(std::span<const float>(&five, 1));
  EXPECT_EQ(run(1, accumulate), "vendor");
  EXPECT_EQ(result(), 1005);
  const int measured = fake_->calls;
  EXPECT_GT(measured, 2);
  EXPECT_EQ(run(1, accumulate), "vendor");
  EXPECT_EQ(result(), 2005);
  EXPECT_EQ(run(1), "vendor");  // remembered for both
  EXPECT_EQ(result(), 1000);
  EXPECT_EQ(fake_->calls, measured + 2);
  fake_->delay = std::chrono::milliseconds(20);
  EXPECT_EQ(run(3, accumulate), "hand");
  EXPECT_EQ(result(), 1003);
}

TEST_F(Choice, WorkspaceIsForTheLargerOfTheTwoAndToSaveASum) {
  const auto split = [&](GradMode mode) {  // two sums of k, 4096 bytes
    return Gemm{.a = tensor(Shape{32, 600}), .b = tensor(Shape{600, 16}), .c = {tensor(Shape{32, 16}), mode}};
  };
  open(Engine::vendor);
  EXPECT_EQ(backend_->workspace(product(1, accumulate)), 1000u);
  EXPECT_EQ(backend_->workspace(split(accumulate)), 4096u);
  open(Engine::automatic);
  EXPECT_EQ(backend_->workspace(product(1, GradMode::overwrite)), 1000u);
  EXPECT_EQ(backend_->workspace(product(1, accumulate)), 1256u);
  EXPECT_EQ(backend_->workspace(split(accumulate)), 2048u + 4096u);
}

TEST_F(Choice, AutomaticMeasuresNothingInACapture) {
  open(Engine::automatic);
  for (const GradMode mode : {GradMode::overwrite, accumulate}) {
    const Gemm op = product(1, mode);
    const auto graph = backend_->capture([&] { backend_->compute(op); });
    const float before = mode == accumulate ? result() : 0;
    graph->launch();
    EXPECT_EQ(result(), before + 1) << "by hand";
  }
  EXPECT_EQ(fake_->calls, 0);
  EXPECT_EQ(run(1), "vendor");
  const int measured = fake_->calls;
  const Gemm op = product(1, accumulate);
  backend_->capture([&] { backend_->compute(op); });
  EXPECT_EQ(fake_->calls, measured + 1) << "what is remembered";
}

TEST_F(Choice, AutomaticKeepsToHandWhereTheVendorCannot) {
  open(Engine::automatic);
  fake_->able = false;
  EXPECT_EQ(run(1), "hand");
  EXPECT_EQ(run(1, accumulate), "hand");
  EXPECT_EQ(fake_->calls, 0);
}

// Each pass goes to the engine, and a convolution with batch norm behind it as two operators.
TEST_F(Choice, ConvolutionsAskTheVendor) {
  open(Engine::vendor);
  const Conv2d conv{3, 1, 1, false};
  const Tensor x = tensor(Shape{1, 4, 4, 4}), w = tensor(Shape{8, 3, 3, 4}), y = tensor(Shape{1, 4, 4, 8});
  const Tensor channels = tensor(Shape{8}), z = tensor(y.shape()), mean = tensor(Shape{8}),
               var = tensor(Shape{8});
  backend_->compute(ConvForward{conv, x, w, y});
  backend_->compute(
      ConvBatchNormForward{conv, x, w, channels, channels, 1e-5f, Activation::none, y, z, mean, var});
  EXPECT_EQ(fake_->forward, 2);
  EXPECT_EQ(y.to_host<float>()[5 * 8], 36) << "by hand";
  backend_->compute(ConvDgrad{conv, y, w, {x}});
  backend_->compute(ConvWgrad{conv, x, y, {w, accumulate}});
  EXPECT_EQ(fake_->dgrad, 1);
  EXPECT_EQ(fake_->wgrad, 1);
  ASSERT_EQ(backend_->notes().size(), 4u);
  EXPECT_EQ(backend_->notes()[2], "engine: by hand conv2d_forward 3x3 s1 (1, 4, 4, 4) -> 8, 2 calls");
}

TEST_F(Choice, NotesTellWhatTheVendorCouldNotDo) {
  open(Engine::vendor);
  run(1);
  EXPECT_TRUE(backend_->notes().empty()) << "the vendor did it all";
  fake_->able = false;
  run(2, accumulate);
  run(2, accumulate);
  ASSERT_EQ(backend_->notes().size(), 2u);
  EXPECT_EQ(
      backend_->notes()[0],
      "engine: 1 of 2 products were done by the kernels here: fake has no deterministic way to do them in "
      "this precision, shape and workspace");
  EXPECT_EQ(backend_->notes()[1], "engine: by hand gemm 1 x 1 x 2, 2 calls");
  open(Engine::automatic);
  fake_->able = false;
  run(1);
  fake_->able = true;
  run(2);
  ASSERT_EQ(backend_->notes().size(), 3u);
  EXPECT_EQ(backend_->notes()[0],
            "engine auto: of 2 products, by pass and shape, 1 went to the vendor, 0 to the kernels here");
  EXPECT_EQ(backend_->notes()[2], "engine: by hand gemm 1 x 1 x 1");
}

TEST_F(Choice, ProductsByName) {
  open(Engine::vendor);
  const Tensor c = tensor(Shape{2, 3});
  Gemm gemm{
      .transpose_a = true, .transpose_b = true, .a = tensor(Shape{4, 2}), .b = tensor(Shape{3, 4}), .c = {c}};
  const emulated::ProductKey plain = emulated::key_of(gemm);
  EXPECT_EQ(plain.text, "gemm 2 (A^T) x 3 (B^T) x 4");
  gemm.c.mode = accumulate;
  EXPECT_EQ(emulated::key_of(gemm), plain);
  gemm.act = Activation::relu;
  EXPECT_NE(emulated::key_of(gemm), plain);
  gemm.act = Activation::none;
  gemm.bias = tensor(Shape{3});
  EXPECT_NE(emulated::key_of(gemm), plain);
  ConvWgrad wgrad{{5, 2, 2, true}, tensor(Shape{4, 8, 9, 40}), {}, {tensor(Shape{40, 5, 5, 1})}};
  const emulated::ProductKey padded = emulated::key_of(wgrad);
  EXPECT_EQ(padded.text, "conv2d_wgrad depthwise 5x5 s2 (4, 8, 9, 40) -> 40");
  wgrad.conv.padding = 1;
  EXPECT_NE(emulated::key_of(wgrad), padded);
}

TEST(Engine, BiasAndActivationBehindAProduct) {
  const Array y = random_array(Shape{7, 33}, 1, -4, 4), bias = random_array(Shape{33}, 2);
  for (const Activation act : {Activation::none, Activation::relu, Activation::hard_swish}) {
    for (const bool with_bias : {false, true}) {
      Array expected = y;
      for (std::int64_t i = 0; with_bias && i < 7 * 33; ++i) expected.at(i) += bias.at(i % 33);
      std::vector<float> found = to_floats(y);
      emulated::bias_activation(nullptr, with_bias ? to_floats(bias).data() : nullptr, act, found.data(), 7,
                                33);
      EXPECT_LE(nmse(Array(y.shape, std::vector<double>(found.begin(), found.end())),
                     oracle::activation(act, expected)),
                1e-10);
    }
  }
}

#if defined(ADWP_HAS_VENDOR)

TEST(Vendor, AMissingLibraryIsOneLine) {
  const auto [fault, message] = error_of([] { cuda::vendor::Library({"libnone.so.1", "libnone.so.0"}); });
  EXPECT_EQ(fault, Fault::failed);
  EXPECT_TRUE(message.starts_with("[vendor] cannot load libnone.so.1 or libnone.so.0, got ")) << message;
  EXPECT_NE(message.find("--engine hand"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

// No GPU is needed to find functions: what is not in this library's version shows here.
TEST(Vendor, TheLibrariesHaveWhatIsUsed) {
  try {
    EXPECT_TRUE(cuda::vendor::library_versions().starts_with("cuDNN 9."));
  } catch (const Error& error) {
    const std::string message = error.what();
    ASSERT_TRUE(message.starts_with("[vendor] cannot load ")) << message;
    GTEST_SKIP() << message;
  }
}

// The same call by hand and by the vendor, on the GPU.
class VendorOnGpu : public testing::Test {
 protected:
  void SetUp() override {
    const std::string obstacle = cuda::obstacle();
    if (!obstacle.empty()) GTEST_SKIP() << obstacle;
    hand_ = cuda::open();
    try {
      vendor_ = cuda::open({.engine = Engine::vendor});
      automatic_ = cuda::open({.engine = Engine::automatic});
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }

  // `work(backend, upload, result)` computes onto what stands in `result` already. Twice: the same bits.
  template <typename Work>
  void compare(const std::string& name, Shape shape, const Work& work) {
    const Array before = random_array(shape, 9);
    const auto run = [&](Backend& backend) {
      Arena arena(backend, std::size_t{256} << 20, Arena::Options{.guard = true});
      const auto upload = [&](const Array& array) {
        return Tensor::from_host(arena, array.shape, std::span<const float>(to_floats(array)));
      };
      const Tensor result = upload(before);
      work(backend, upload, result);
      return to_array(result);
    };
    const Array expected = run(*hand_), found = run(*vendor_);
    EXPECT_LE(nmse(found, expected), 1e-7) << name;
    EXPECT_EQ(found.values, run(*vendor_).values) << name;
    EXPECT_LE(nmse(run(*automatic_), expected), 1e-7) << name;
  }

  std::unique_ptr<Backend> hand_, vendor_, automatic_;
};

TEST_F(VendorOnGpu, Convolutions) {
  struct Case {
    std::int64_t images, side, channels, filters;
    Conv2d conv;
  };
  for (const Case& c : {Case{4, 9, 16, 24, {3, 1, 1, false}}, Case{2, 16, 3, 32, {3, 2, 1, false}},
                        Case{8, 8, 64, 128, {1, 1, 0, false}}, Case{1, 1, 8, 8, {1, 1, 0, false}},
                        Case{3, 12, 17, 5, {5, 1, 2, false}}, Case{4, 15, 24, 24, {3, 1, 1, true}},
                        Case{2, 16, 32, 32, {5, 2, 2, true}}, Case{2, 11, 40, 40, {7, 1, 3, true}}}) {
    const Array x = random_array(Shape{c.images, c.side, c.side, c.channels}, 1);
    const Array w =
        random_array(Shape{c.filters, c.conv.kernel, c.conv.kernel, c.conv.depthwise ? 1 : c.channels}, 2);
    const Array dy = random_array(conv2d_output(c.conv, x.shape, w.shape), 3);
    const std::string name = fmt::format("{} x {} x {} depthwise {}", x.shape.text(), w.shape.text(),
                                         c.conv.stride, c.conv.depthwise);
    compare(name + " forward", dy.shape, [&](Backend& backend, const auto& upload, const Tensor& y) {
      backend.compute(ConvForward{c.conv, upload(x), upload(w), y});
    });
    for (const GradMode mode : {GradMode::overwrite, GradMode::accumulate}) {
      compare(name + " dgrad", x.shape, [&](Backend& backend, const auto& upload, const Tensor& dx) {
        backend.compute(ConvDgrad{c.conv, upload(dy), upload(w), {dx, mode}});
      });
      compare(name + " wgrad", w.shape, [&](Backend& backend, const auto& upload, const Tensor& dw) {
        backend.compute(ConvWgrad{c.conv, upload(x), upload(dy), {dw, mode}});
      });
    }
  }
}

TEST_F(VendorOnGpu, Gemms) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 10, 128}, {64, 256, 129}, {200, 7, 1000}}) {
    for (const auto& [of_a, of_b] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
      const Array a = random_array(of_a ? Shape{k, m} : Shape{m, k}, 4);
      const Array b = random_array(of_b ? Shape{n, k} : Shape{k, n}, 5);
      const Array bias = random_array(Shape{n}, 6);
      const std::string name = fmt::format("{} x {} x {} {}{}", m, n, k, of_a, of_b);
      for (const Activation act : {Activation::none, Activation::silu}) {
        compare(name, Shape{m, n}, [&](Backend& backend, const auto& upload, const Tensor& c) {
          backend.compute(Gemm{of_a, of_b, upload(a), upload(b), upload(bias), act, {c}});
        });
      }
      compare(name + " sum", Shape{m, n}, [&](Backend& backend, const auto& upload, const Tensor& c) {
        backend.compute(
            Gemm{of_a, of_b, upload(a), upload(b), {}, Activation::none, {c, GradMode::accumulate}});
      });
    }
  }
}

#endif

}  // namespace
}  // namespace adwp::test
