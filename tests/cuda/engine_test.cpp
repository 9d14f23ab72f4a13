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
  // What a product leaves behind: the engine that ran last on the result.
  std::string run(std::int64_t shape, bool accumulate = false) {
    float spare = 99;
    std::string last;
    auto leave = [&](float* to, const char* who) {
      *to = accumulate ? *to + 1 : 1;
      if (to == &result_) last = who;
    };
    choice_->run(
        emulated::key_of({shape, 1, 1, false, false}, false, Activation::none),
        {&result_, accumulate ? &spare : nullptr, sizeof(float)},
        [&](float* to) {
          std::this_thread::sleep_for(hand_);
          ++hand_calls_;
          leave(to, "hand");
        },
        [&](emulated::VendorProducts&, float* to) {
          if (!able_) return false;
          std::this_thread::sleep_for(vendor_);
          ++vendor_calls_;
          leave(to, "vendor");
          return true;
        });
    return last;
  }

  emulated::Device device_;
  std::unique_ptr<emulated::EngineChoice> choice_;
  std::chrono::milliseconds hand_{0}, vendor_{0};
  bool able_ = true;
  int hand_calls_ = 0, vendor_calls_ = 0;
  float result_ = 0;
};

TEST_F(Choice, HandAsksTheVendorNothing) {
  open(Engine::hand);
  EXPECT_EQ(run(1), "hand");
  EXPECT_EQ(vendor_calls_, 0);
  EXPECT_EQ(choice_->workspace(10, 40, GradMode::accumulate), 10u);
  EXPECT_EQ(choice_->description(), "");
}

TEST_F(Choice, VendorIsReplacedWhereItCannot) {
  open(Engine::vendor);
  EXPECT_EQ(run(1), "vendor");
  EXPECT_EQ(run(1, true), "vendor");
  EXPECT_EQ(hand_calls_, 0);
  able_ = false;
  EXPECT_EQ(run(1), "hand");
  EXPECT_EQ(choice_->workspace(10, 40, GradMode::accumulate), 1000u);
  EXPECT_EQ(choice_->workspace(5000, 40, GradMode::accumulate), 5000u);
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

// A weight gradient always accumulates: it is timed on memory beside it and added to the result once.
TEST_F(Choice, AutomaticMeasuresSumsBesideTheResult) {
  open(Engine::automatic);
  hand_ = std::chrono::milliseconds(4);
  result_ = 5;
  EXPECT_EQ(run(1, true), "vendor");
  EXPECT_EQ(result_, 6);
  const int measured = hand_calls_;
  EXPECT_GT(measured, 1);
  EXPECT_EQ(run(1, true), "vendor");
  EXPECT_EQ(result_, 7);
  EXPECT_EQ(run(1, false), "vendor");  // remembered for both
  EXPECT_EQ(result_, 1);
  EXPECT_EQ(hand_calls_, measured);
  // Memory for that, behind which the products find theirs as before.
  EXPECT_EQ(choice_->workspace(10, 40, GradMode::overwrite), 1000u);
  EXPECT_EQ(choice_->workspace(10, 40, GradMode::accumulate), 1256u);
  Arena arena(*open_device("emulated"), 4096);
  const Tensor tensor(arena, Shape{10});
  alignas(256) std::byte memory[1256];
  const auto sum = choice_->take_apart(memory, tensor, GradMode::accumulate);
  EXPECT_EQ(sum.target.result, tensor.data<float>());
  EXPECT_EQ(static_cast<void*>(sum.target.spare), memory);
  EXPECT_EQ(sum.target.bytes, 40u);
  EXPECT_EQ(sum.rest, memory + 256);
  const auto plain = choice_->take_apart(memory, tensor, GradMode::overwrite);
  EXPECT_EQ(plain.target.spare, nullptr);
  EXPECT_EQ(plain.rest, memory);
}

TEST_F(Choice, AutomaticMeasuresNothingInACapture) {
  open(Engine::automatic);
  hand_ = std::chrono::milliseconds(4);
  for (const bool accumulate : {false, true}) {
    device_.capture([&] { EXPECT_EQ(run(1, accumulate), "hand"); });
  }
  EXPECT_EQ(hand_calls_ + vendor_calls_, 2);
  EXPECT_EQ(run(1), "vendor");
  device_.capture([&] { EXPECT_EQ(run(1), "vendor"); });
}

TEST_F(Choice, NotesTellWhatTheVendorCouldNotDo) {
  open(Engine::hand);
  run(1);
  EXPECT_TRUE(choice_->notes().empty());
  open(Engine::vendor);
  run(1);
  EXPECT_TRUE(choice_->notes().empty()) << "the vendor did it all";
  able_ = false;
  run(2, true);
  run(2, true);
  ASSERT_EQ(choice_->notes().size(), 2u);
  EXPECT_EQ(
      choice_->notes()[0],
      "engine: 1 of 2 products were done by the kernels here: counted has no deterministic way to do them in "
      "this precision, shape and workspace");
  EXPECT_EQ(choice_->notes()[1], "engine: by hand gemm 2 x 1 x 1, 2 calls");
  open(Engine::automatic);
  run(1);
  able_ = true;
  hand_ = std::chrono::milliseconds(4);
  run(2);
  ASSERT_EQ(choice_->notes().size(), 3u);
  EXPECT_EQ(choice_->notes()[0],
            "engine auto: of 2 products, by pass and shape, 1 went to the vendor, 0 to the kernels here");
  EXPECT_EQ(choice_->notes()[2], "engine: by hand gemm 1 x 1 x 1");
}

TEST(Engine, ProductsByName) {
  EXPECT_EQ(emulated::text_of(emulated::key_of({2, 3, 4, true, true, 5}, false, Activation::none)),
            "gemm 5 of 2 (A^T) x 3 (B^T) x 4");
  EXPECT_EQ(emulated::text_of(
                emulated::key_of(ConvPass::wgrad, {5, 2, 2, true}, Shape{64, 8, 9, 40}, Shape{40, 5, 5, 1})),
            "conv2d_wgrad depthwise 5x5 s2 (64, 8, 9, 40) -> 40");
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
                                         found.data(), 1, 7, 33);
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
      // Two of them, by cuBLAS's batched call or the kernels' blockIdx.z.
      const Array a2 = random_array(Shape{2, a.shape[0], a.shape[1]}, 7);
      const Array b2 = random_array(Shape{2, b.shape[0], b.shape[1]}, 8);
      for (const Array& each : {bias, random_array(Shape{2, n}, 9)}) {
        compare(name + " batch", Shape{2, m, n}, [&](Backend& backend, const auto& upload, const Tensor& c) {
          backend.batched_gemm(spec, upload(a2), upload(b2), upload(each), Activation::relu, c,
                               GradMode::overwrite);
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
