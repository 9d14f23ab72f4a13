// Engines: which there are, how one is chosen, and that cuDNN and cuBLAS compute what the kernels here do.
#define ADWP_GPU emulated
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "cuda/cuda_backend.h"
#include "cuda/kernels/elementwise.h"
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

// Products that only count, and take as long as they are told to.
class Counted : public emulated::VendorProducts {
 public:
  std::string description() const override { return "counted"; }
  std::size_t workspace_bytes() const override { return 1000; }
  bool gemm(const emulated::kernels::GemmShape&, const float*, const float*, const float*, Activation, float*,
            bool, void*) override {
    return false;
  }
  bool convolution(ConvPass, const Conv2d&, const Shape&, const Shape&, const float*, const float*, float*,
                   bool, void*) override {
    return false;
  }
};

class Choice : public testing::Test {
 protected:
  void open(Engine engine) {
    choice_ = std::make_unique<emulated::EngineChoice>(engine, device_, std::make_unique<Counted>());
  }
  // What a product leaves behind: the engine that ran last.
  std::string run(std::int64_t shape, bool accumulate = false) {
    std::string last;
    choice_->run(
        emulated::key_of({shape, 1, 1, false, false}, false, Activation::none), accumulate,
        [&] {
          std::this_thread::sleep_for(hand_);
          ++hand_calls_;
          last = "hand";
        },
        [&](emulated::VendorProducts&) {
          if (!able_) return false;
          std::this_thread::sleep_for(vendor_);
          ++vendor_calls_;
          last = "vendor";
          return true;
        });
    return last;
  }

  emulated::Device device_;
  std::unique_ptr<emulated::EngineChoice> choice_;
  std::chrono::milliseconds hand_{0}, vendor_{0};
  bool able_ = true;
  int hand_calls_ = 0, vendor_calls_ = 0;
};

TEST_F(Choice, HandAsksTheVendorNothing) {
  open(Engine::hand);
  EXPECT_EQ(run(1), "hand");
  EXPECT_EQ(vendor_calls_, 0);
  EXPECT_EQ(choice_->workspace(10), 10u);
  EXPECT_EQ(choice_->description(), "");
}

TEST_F(Choice, VendorIsReplacedWhereItCannot) {
  open(Engine::vendor);
  EXPECT_EQ(run(1), "vendor");
  EXPECT_EQ(run(1, true), "vendor");
  EXPECT_EQ(hand_calls_, 0);
  able_ = false;
  EXPECT_EQ(run(1), "hand");
  EXPECT_EQ(choice_->workspace(10), 1000u);
  EXPECT_EQ(choice_->workspace(5000), 5000u);
}

TEST_F(Choice, AutomaticRemembersTheFaster) {
  open(Engine::automatic);
  hand_ = std::chrono::milliseconds(4);
  EXPECT_EQ(run(1), "vendor");
  const int measured = hand_calls_;
  EXPECT_GT(measured, 1);
  vendor_ = std::chrono::milliseconds(20);  // measured once: what has changed since is not seen
  EXPECT_EQ(run(1), "vendor");
  EXPECT_EQ(run(1, true), "vendor");
  EXPECT_EQ(hand_calls_, measured);
  EXPECT_EQ(run(2), "hand");  // another shape
}

TEST_F(Choice, AutomaticMeasuresNeitherSumsNorCaptures) {
  open(Engine::automatic);
  hand_ = std::chrono::milliseconds(4);
  EXPECT_EQ(run(1, true), "hand");
  EXPECT_EQ(hand_calls_ + vendor_calls_, 1);
  device_.capture([&] { EXPECT_EQ(run(1), "hand"); });
  EXPECT_EQ(hand_calls_ + vendor_calls_, 2);
  EXPECT_EQ(run(1), "vendor");
  device_.capture([&] { EXPECT_EQ(run(1), "vendor"); });
}

TEST_F(Choice, AutomaticKeepsToHandWhereTheVendorCannot) {
  open(Engine::automatic);
  able_ = false;
  EXPECT_EQ(run(1), "hand");
  EXPECT_EQ(run(1), "hand");
  EXPECT_EQ(hand_calls_, 2);
}

TEST(Engine, BiasAndActivationBehindAProduct) {
  const Array y = random_array(Shape{7, 33}, 1, -4, 4), bias = random_array(Shape{33}, 2);
  for (const Activation act : {Activation::none, Activation::relu, Activation::hard_swish}) {
    for (const bool with_bias : {false, true}) {
      Array expected = y;
      for (std::int64_t i = 0; with_bias && i < 7 * 33; ++i) expected.at(i) += bias.at(i % 33);
      std::vector<float> found = to_floats(y);
      emulated::kernels::bias_activation(nullptr, with_bias ? to_floats(bias).data() : nullptr, act,
                                         found.data(), 7, 33);
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
    if (!cuda::usable()) GTEST_SKIP() << "no GPU here";
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
      backend.conv2d_forward(c.conv, upload(x), upload(w), y);
    });
    for (const GradMode mode : {GradMode::overwrite, GradMode::accumulate}) {
      compare(name + " dgrad", x.shape, [&](Backend& backend, const auto& upload, const Tensor& dx) {
        backend.conv2d_dgrad(c.conv, upload(dy), upload(w), dx, mode);
      });
      compare(name + " wgrad", w.shape, [&](Backend& backend, const auto& upload, const Tensor& dw) {
        backend.conv2d_wgrad(c.conv, upload(x), upload(dy), dw, mode);
      });
    }
  }
}

TEST_F(VendorOnGpu, Gemms) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 10, 128}, {64, 256, 129}, {200, 7, 1000}}) {
    for (const Gemm spec : {Gemm{false, false}, Gemm{true, false}, Gemm{false, true}, Gemm{true, true}}) {
      const Array a = random_array(spec.transpose_a ? Shape{k, m} : Shape{m, k}, 4);
      const Array b = random_array(spec.transpose_b ? Shape{n, k} : Shape{k, n}, 5);
      const Array bias = random_array(Shape{n}, 6);
      const std::string name = fmt::format("{} x {} x {} {}{}", m, n, k, spec.transpose_a, spec.transpose_b);
      for (const Activation act : {Activation::none, Activation::silu}) {
        compare(name, Shape{m, n}, [&](Backend& backend, const auto& upload, const Tensor& c) {
          backend.gemm(spec, upload(a), upload(b), upload(bias), act, c, GradMode::overwrite);
        });
      }
      compare(name + " sum", Shape{m, n}, [&](Backend& backend, const auto& upload, const Tensor& c) {
        backend.gemm(spec, upload(a), upload(b), {}, Activation::none, c, GradMode::accumulate);
      });
    }
  }
}

#endif

}  // namespace
}  // namespace adwp::test
