// oneDNN's convolutions, made once for each shape, and our own for what it lacks.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <optional>
#include <unordered_map>

#include "cpu/cpu_backend.h"
#include "cpu/winograd_kernel.h"
#include "framework/backend/backend.h"

namespace adwp::cpu {

// A convolution in oneDNN's words. Images are NHWC; depthwise kernels have a group for each channel.
struct ConvolutionDescription {
  ConvolutionDescription(const Conv2d& conv, const Shape& x, const Shape& w);
  dnnl::memory::desc x, y, krsc, any;     // any: the kernel in a layout of the primitive's choice
  dnnl::memory::dims strides, low, high;  // low, high: padding before and behind
};

// How an image operand lies: NHWC in f32 outside, and for the primitive in a type or layout of its own or,
// where `inside` is empty, as it is outside. A buffer holds what lies inside.
struct ImageLayout {
  dnnl::memory::desc outside, inside;
  dnnl::reorder enter, leave;  // of another layout; bf16 is rounded by our own loop

  bool differs() const { return !inside.is_zero(); }
  std::size_t buffer_bytes() const { return inside.get_size(); }
  void change(const dnnl::memory::desc& to, const dnnl::engine& engine);

  // What the primitive reads or writes; reading fills the buffer.
  dnnl::memory reads(const dnnl::stream& stream, float* address, void* buffer) const;
  dnnl::memory writes(const dnnl::stream& stream, float* address, void* buffer) const;
  // After it has written: brings the buffer out.
  void written(const dnnl::stream& stream, float* address, void* buffer) const;
};

// A primitive and how its operands lie. The kernel may have to be brought into the primitive's own layout and
// back (it is small). It holds no operands: threads may execute it at once.
struct Convolution {
  dnnl::primitive primitive;
  ImageLayout x, y;
  dnnl::memory::desc krsc, packed, scratchpad;  // packed: the kernel as the primitive wants it
  bool general = false;                         // by oneDNN's way for what it has no kernel for
  bool depthwise = false;                       // by one of oneDNN's kernels for that
  // Where pack_for_winograd packs the kernel. For dgrad the primitive is then a forward convolution of dy.
  std::optional<KernelUse> winograd;
};

// Whether a part of a batch, x, takes less time by Winograd's algorithm F(4x4, 3x3) on one thread, which
// multiplies a quarter as often and transforms tiles of 4 x 4 pixels besides, and the kernel: once for all
// parts, in wgrad for each. So where there are enough channels, and tiles. Measured (docs/results/cpu.md); by
// shapes alone.
bool winograd_pays(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w);
// Bytes that oneDNN may want for it besides, of each thread: 7 to 15 MiB for most layers, hundreds for large
// images.
inline constexpr std::size_t most_winograd_scratchpad = 16 << 20;
// Whether this primitive for inference wants no more than that, and a kernel that we can pack.
bool takes_winograd(const dnnl::convolution_forward::primitive_desc& description);
// The layout that its kernels want: 16 channels of a pixel side by side.
dnnl::memory::desc blocked(const dnnl::memory::desc& image);
// Images of x whose tiles make products large enough, and in wgrad share the transforms of a kernel well.
std::int64_t images_for_winograd(const Shape& x);

class ConvolutionCache {
 public:
  explicit ConvolutionCache(Products products);

  // Made for as many threads as OpenMP has now.
  const Convolution& get(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w);
  // Whether get() takes Winograd's algorithm, where oneDNN has it.
  bool by_winograd(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w) const {
    return products_ != Products::bf16 && winograd_pays(pass, conv, x, w);
  }
  const dnnl::engine& engine() const { return engine_; }
  const dnnl::stream& stream() const { return stream_; }
  // Brings a kernel from one layout into another.
  void reorder(const dnnl::memory::desc& from, void* source, const dnnl::memory::desc& to,
               void* target) const;

 private:
  struct Key {
    ConvPass pass;
    Conv2d conv;
    Shape x, w;
    int threads;  // that the primitive was made for
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const;
  };
  enum class Way { direct, narrow, winograd };  // narrow: what is read is bf16; winograd: of wgrad
  // Without a primitive where oneDNN has none, which only Winograd's way may lack.
  Convolution make(const Key& key, Way way);
  Convolution make_winograd(const Key& key);  // forward or dgrad

  Products products_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::unordered_map<Key, Convolution, Hash> entries_;
};

// Whether oneDNN computes the gradient of a depthwise kernel, or depthwise_wgrad. Measured
// (docs/results/cpu.md): oneDNN's depthwise kernels have 100 to 115 GFLOP/s on images in cache, for forward
// and dgrad of every size, stride and number of channels, and for the weight gradient of 3 x 3. For larger
// kernels it has none of its own, and its general one has 7 to 10 GFLOP/s.
bool wgrad_by_onednn(const Conv2d& conv, const Shape& x, ConvolutionCache& cache);

// The gradient of a depthwise kernel by our own loops: each image is copied with its border into a padded
// buffer, so that the inner loops know no borders; they hold a vector of channels of a row of taps in
// registers. Channels are the fastest axis, so every load is contiguous.
void depthwise_wgrad(const ConvWgrad& op, void* workspace);
std::size_t depthwise_wgrad_workspace(const Conv2d& conv, const Shape& x);  // bytes

}  // namespace adwp::cpu
